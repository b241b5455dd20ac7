// The script of all pages. Pages hold all text and forms; this fills them with what the
// API answers and sends forms to it. What a form does is named by data-form, what a
// button does by data-do: see forms and buttons. Text from answers only ever becomes text.
'use strict'

const $ = (selector, within = document) => within.querySelector(selector)
const all = (selector, within = document) => [...within.querySelectorAll(selector)]

// Problem is what went wrong, in words for the person at the page.
class Problem extends Error {
  constructor(kind, text) {
    super(text)
    this.kind = kind
  }
}

// What the API says to programs about these is said otherwise to people.
const words = {
  'unauthenticated': 'You are not signed in any more. Sign in again.',
  'code-needed': 'Nothing was done, because you did not show that it is you.',
  'enrolment-needed': 'Set up an authenticator first.',
  'role': 'Your role does not allow this. An owner of your company can change that.',
  'scopes': 'Choose at least one thing that the key may do.',
  'member-moved': 'Somebody else changed this member just now. Look again, and decide anew.',
  'internal': 'Something went wrong on our side. Try again in a moment.',
}

// ask asks the API. An answer that wants a recent code is asked for again after it.
async function ask(method, path, body, tag) {
  for (;;) {
    const headers = { Accept: 'application/json' }
    if (body) headers['Content-Type'] = 'application/json'
    if (tag) headers['If-Match'] = tag
    let response
    try {
      response = await fetch(path, { method, headers, body: body && JSON.stringify(body), credentials: 'same-origin', cache: 'no-store', redirect: 'error' })
    } catch {
      throw new Problem('unreached', 'There was no answer. Look at your connection and try again.')
    }
    const answer = await response.json().catch(() => ({}))
    if (response.ok) return { answer, tag: response.headers.get('ETag') }
    const kind = String(answer.type || 'internal').split('/').pop()
    if (kind === 'code-needed' && await open('step-up')) continue
    throw new Problem(kind, words[kind] || answer.detail || words.internal)
  }
}

// open shows a dialog and waits for it to close: whether it was agreed to.
function open(id, text) {
  const dialog = $('#' + id)
  const form = $('form', dialog)
  form.reset()
  fail(form)
  if (text) $('p', form).textContent = text
  dialog.returnValue = ''
  dialog.showModal()
  return new Promise(agreed => dialog.addEventListener('close', () => agreed(dialog.returnValue === 'yes'), { once: true }))
}

const sure = text => open('sure', text)

let errors = 0 // places for errors that a field has pointed to

// fail says beside a form what went wrong, or takes it back. The field that the problem
// is about is marked and gets the focus.
function fail(form, problem) {
  const at = $('.error', form)
  for (const field of all('[aria-invalid]', form)) {
    field.removeAttribute('aria-invalid')
    field.removeAttribute('aria-errormessage')
  }
  if (!at) return
  at.textContent = problem ? problem.message : ''
  if (!problem) return
  const field = $(`[data-about~="${CSS.escape(problem.kind)}"]`, form) || form.elements.namedItem(problem.kind.replace(/-refused$/, ''))
  if (!(field instanceof HTMLElement)) {
    at.scrollIntoView({ block: 'nearest' })
    return
  }
  at.id ||= `error-${++errors}`
  field.setAttribute('aria-invalid', 'true')
  field.setAttribute('aria-errormessage', at.id)
  field.focus()
}

// say tells of what was done, report of what could not be done outside a form.
function say(text, failed = '') {
  $('#failed').textContent = failed
  $('#said').textContent = text
  if (text || failed) $('main').scrollIntoView()
}

const report = problem => say('', problem.message)

// step shows one part of the page in place of another, and leads there: to its heading,
// or to its first field where there is nothing to read before it.
function step(name, to = 'h1, h2') {
  for (const part of all('[data-step]')) part.hidden = part.dataset.step !== name
  $(to, $(`[data-step="${name}"]`)).focus()
}

// values are what a form says, as the API wants it.
function values(form) {
  const out = {}
  for (const field of form.elements) {
    if (!field.name) continue
    if (field.dataset.as === 'several') {
      out[field.name] ??= []
      if (field.checked) out[field.name].push(field.value)
    } else if (field.dataset.as === 'lines') {
      out[field.name] = field.value.split(/\s+/).filter(line => line)
    } else if (field.value === '') {
      continue
    } else if (field.dataset.as === 'number') {
      out[field.name] = Number(field.value)
    } else {
      out[field.name] = field.dataset.as === 'code' ? field.value.replaceAll(' ', '') : field.value
    }
  }
  return out
}

// The words of a page's own choices are the page's.
const roleWords = { owner: 'Owner', approver: 'Approver', editor: 'Editor', viewer: 'Viewer' }
const when = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short' })

// fill puts texts and times to their places, and leaves what has no value as it is.
function fill(within, item) {
  for (const at of all('[data-text]', within)) {
    const value = item[at.dataset.text]
    if (value !== undefined) at.textContent = value
  }
  for (const at of all('[data-time]', within)) {
    const value = item[at.dataset.time]
    if (!value) continue
    const time = document.createElement('time')
    time.dateTime = value
    time.textContent = when.format(new Date(value))
    at.replaceChildren(time)
  }
}

// list shows items in the list, one copy of the template each. What an item's buttons
// do, they do with it.
const itemOf = new WeakMap()

function list(id, template, items) {
  for (const item of items) {
    const card = $('#' + template).content.firstElementChild.cloneNode(true)
    fill(card, item)
    const name = $('h2, h3', card).textContent
    for (const button of all('button, summary', card)) button.setAttribute('aria-label', `${button.textContent}: ${name}`)
    itemOf.set(card, item)
    $('#' + id).append(card)
  }
  allow()
}

// What the member may do decides what is shown; the API decides what is done.
let may = []

function allow() {
  for (const part of all('[data-needs]')) part.hidden = !may.includes(part.dataset.needs)
}

const ticket = new URLSearchParams(location.search).get('ticket')
let attempt = '' // of a sign-in whose password was right
let codes = [] // recovery codes that are shown
let next = '' // where the list goes on

// forget takes a used ticket out of the address, so that it stays in no history.
const forget = () => history.replaceState(null, '', location.pathname)

const enter = enrolled => location.replace(enrolled ? '/me' : '/authenticator')

function showCodes(given) {
  codes = given
  $('#codes').replaceChildren(...codes.map(code => {
    const line = document.createElement('li')
    const text = document.createElement('code')
    text.textContent = code
    line.append(text)
    return line
  }))
  $('[data-step="codes"]').hidden = false
  $('[data-step="codes"] h2').focus()
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text)
    say('It is copied.')
  } catch {
    report(new Problem('', 'This browser does not copy for pages. Choose the text and copy it yourself.'))
  }
}

async function showSessions() {
  const { answer } = await ask('GET', '/account/sessions')
  $('#sessions').replaceChildren()
  list('sessions', 'session', answer.items.map(one => ({ ...one, agent: one.agent + (one.current ? ' (here)' : '') })))
  for (const card of all('#sessions > li')) $('.buttons', card).hidden = itemOf.get(card).current
}

// Lists come in parts: from the beginning, or more of what is shown.
async function showMembers(more) {
  const { answer } = await ask('GET', '/members' + (more ? '?after=' + encodeURIComponent(next) : ''))
  next = answer.next
  if (!more) $('#members').replaceChildren()
  list('members', 'member', answer.items.filter(one => !one.removedAt).map(one => ({
    ...one, role: roleWords[one.role] || one.role, had: one.role, authenticator: one.enrolledAt ? 'yes' : 'not yet',
  })))
  for (const card of all('#members > li')) $('select', card).value = itemOf.get(card).had
  $('[data-do="moreMembers"]').hidden = !next
}

async function showInvitations() {
  const { answer } = await ask('GET', '/invitations')
  $('#invitations').replaceChildren()
  $('#no-invitations').hidden = answer.items.length > 0
  list('invitations', 'invitation', answer.items.map(one => ({ ...one, role: roleWords[one.role] || one.role })))
}

async function showKeys(more) {
  const { answer } = await ask('GET', '/keys' + (more ? '?after=' + encodeURIComponent(next) : ''))
  next = answer.next
  if (!more) $('#keys').replaceChildren()
  const named = scope => { const label = $(`label[for="scope-${CSS.escape(scope)}"]`); return label ? label.textContent : scope }
  list('keys', 'one-key', answer.items.map(one => ({
    ...one, begins: `pmk_${one.id}_`, scopes: one.scopes.map(named).join(', '), from: one.from.join(', ') || 'everywhere',
  })))
  for (const card of all('#keys > li')) if (itemOf.get(card).revokedAt) $('.buttons', card).remove()
  $('#no-keys').hidden = $('#keys').children.length > 0
  $('[data-do="moreKeys"]').hidden = !next
}

// member changes a member as they are now, if they still are what the page shows.
async function member(item, method, body) {
  const path = '/members/' + encodeURIComponent(item.id)
  const { answer, tag } = await ask('GET', path)
  if (answer.removedAt || answer.role !== item.had) throw new Problem('member-moved', words['member-moved'])
  return ask(method, path, body, tag)
}

// What forms do beyond sending what they say: with adds to that, ask sends it otherwise,
// done gets the answer and the item that the form stands in, failed the problem.
const forms = {
  signUp: { done: () => step('sent') },
  forgot: { done: () => step('sent') },
  useTicket: { with: () => ({ ticket }), done: () => { forget(); step('done') } },
  confirmAddress: { with: () => ({ ticket }), done: ({ changed }) => { forget(); step(changed ? 'done' : 'half') } },
  signIn: {
    done: ({ needs, attempt: begun }) => {
      if (needs !== 'code') return enter(false)
      attempt = begun
      step('code', 'input')
    },
  },
  signInCode: {
    with: () => ({ attempt }),
    done: ({ enrolled }) => enter(enrolled),
    failed: problem => {
      if (problem.kind !== 'attempt-expired') return
      step('password')
      fail($('[data-form="signIn"]'), problem)
    },
  },
  enrol: {
    done: ({ secret, uri, qr }) => {
      $('#qr').src = 'data:image/svg+xml,' + encodeURIComponent(qr)
      $('#otpauth').href = uri
      $('#key').textContent = secret.match(/.{1,4}/g).join(' ')
      step('scan')
    },
  },
  confirmEnrolment: {
    done: ({ recoveryCodes }) => { step('codes'); showCodes(recoveryCodes) },
    failed: problem => {
      if (problem.kind !== 'attempt-expired') return
      step('begin')
      fail($('[data-form="enrol"]'), problem)
    },
  },
  changePassword: { done: async () => { say('Your password is changed. Your other sessions have ended.'); await showSessions() } },
  changeAddress: { done: () => say('Look at the mail of both addresses: the change is made once both have agreed.') },
  removeAuthenticator: { done: () => location.replace('/authenticator') },
  setRole: {
    ask: (form, item) => member(item, 'PUT', values(form)),
    done: async (_, item) => { say(`The role of ${item.name} is changed.`); await showMembers() },
  },
  invite: { done: async ({ email }) => { say(`An invitation is on its way to ${email}.`); await showInvitations() } },
  makeKey: {
    done: async ({ key }) => {
      $('#made').textContent = key
      await showKeys()
      step('made')
    },
  },
}

// What buttons do with the item that they stand in.
const buttons = {
  signOut: async () => { await ask('POST', '/account/sign-out'); location.replace('/sign-in') },
  closeDialog: (_, button) => button.closest('dialog').close(),
  endSession: async item => { await ask('DELETE', '/account/sessions/' + encodeURIComponent(item.id)); say('That session has ended.'); await showSessions() },
  endOthers: async () => {
    const { answer } = await ask('DELETE', '/account/sessions')
    say(answer.ended === 1 ? 'One session has ended.' : `${answer.ended} sessions have ended.`)
    await showSessions()
  },
  renewCodes: async () => { const { answer } = await ask('POST', '/account/recovery-codes'); showCodes(answer.recoveryCodes) },
  copyCodes: () => copy(codes.join('\n')),
  saveCodes: () => {
    const link = document.createElement('a')
    link.href = URL.createObjectURL(new Blob([codes.join('\n') + '\n'], { type: 'text/plain' }))
    link.download = 'recovery-codes.txt'
    link.click()
    URL.revokeObjectURL(link.href)
  },
  moreMembers: () => showMembers(true),
  endMember: async item => {
    if (!await sure(`Sign ${item.name} out everywhere?`)) return
    await ask('DELETE', `/members/${encodeURIComponent(item.id)}/sessions`)
    say(`${item.name} is signed out everywhere.`)
  },
  removeMember: async item => {
    if (!await sure(`Remove ${item.name} from your company? They are signed out at once, and only a new invitation brings them back.`)) return
    await member(item, 'DELETE')
    say(`${item.name} is removed.`)
    await showMembers()
  },
  withdraw: async item => { await ask('DELETE', '/invitations/' + encodeURIComponent(item.id)); say('The invitation is withdrawn.'); await showInvitations() },
  moreKeys: () => showKeys(true),
  revokeKey: async item => {
    if (!await sure(`Revoke the key ${item.name}? Programs that use it are turned away at once.`)) return
    await ask('DELETE', '/keys/' + encodeURIComponent(item.id))
    say('The key is revoked.')
    await showKeys()
  },
  copyKey: () => copy($('#made').textContent),
  hideKey: () => {
    $('#made').textContent = ''
    $('[data-step="made"]').hidden = true
    $('h1').focus()
  },
}

// What pages show from the beginning.
const pages = {
  me: async self => {
    fill($('main'), { ...self.member, company: self.company, role: roleWords[self.member.role] || self.member.role })
    // A session is of nobody enrolled as long as it reaches the account alone.
    const enrolled = may.length > 1
    $('#unenrolled').hidden = enrolled
    $('[data-enrolled]').hidden = !enrolled
    await showSessions()
  },
  people: async () => { await showMembers(); await showInvitations() },
  'api-keys': () => showKeys(),
}

let busy = false

// once does one thing at a time: a second click while an answer is awaited does nothing.
async function once(element, what, failed) {
  if (busy) return
  busy = true
  element.setAttribute('aria-busy', 'true')
  try {
    await what()
  } catch (problem) {
    if (!(problem instanceof Problem)) console.error(problem)
    failed(problem instanceof Problem ? problem : new Problem('internal', words.internal))
  } finally {
    busy = false
    element.removeAttribute('aria-busy')
  }
}

// prove is the step-up dialog's own form: it is asked while something else waits for it.
async function prove(form) {
  if (form.ariaBusy) return
  form.ariaBusy = 'true'
  fail(form)
  try {
    await ask('POST', '/account/step-up', values(form))
    form.closest('dialog').close('yes')
  } catch (problem) {
    fail(form, problem)
  } finally {
    form.ariaBusy = null
  }
}

document.addEventListener('submit', event => {
  const form = event.target
  if (form.method === 'dialog') return
  event.preventDefault()
  if (form.closest('#step-up')) return prove(form)
  const doing = forms[form.dataset.form]
  const item = itemOf.get(form.closest('li'))
  once(form, async () => {
    fail(form)
    say('')
    const path = form.getAttribute('action')
    const { answer } = await (doing.ask ? doing.ask(form, item) : ask('POST', path, { ...values(form), ...doing.with?.() }))
    form.reset()
    await doing.done(answer, item)
  }, problem => {
    fail(form, problem)
    doing.failed?.(problem)
  })
})

document.addEventListener('click', event => {
  const button = event.target.closest('[data-do], [data-step-to]')
  if (!button) return
  if (button.dataset.stepTo) return step(button.dataset.stepTo, 'input')
  const doing = buttons[button.dataset.do]
  if (button.closest('dialog')) return doing(null, button)
  once(button, async () => { say(''); await doing(itemOf.get(button.closest('li')), button) }, report)
})

document.addEventListener('change', event => {
  const { shows } = event.target.dataset
  if (shows) $('#' + CSS.escape(shows)).type = event.target.checked ? 'text' : 'password'
})

// A page that comes back from the browser's memory asks anew who is signed in.
addEventListener('pageshow', event => { if (event.persisted) location.reload() })

async function begin() {
  if (!ticket && $('[data-step="no-ticket"]')) step('no-ticket')
  if (!('inside' in document.body.dataset)) return
  const page = document.body.dataset.page
  try {
    const { answer } = await ask('GET', '/account')
    may = answer.scopes
    allow()
    if (may.length === 1 && page !== 'me' && page !== 'authenticator') return location.replace('/authenticator')
    await pages[page]?.(answer)
  } catch (problem) {
    if (problem.kind === 'unauthenticated') return location.replace('/sign-in')
    report(problem instanceof Problem ? problem : new Problem('internal', words.internal))
  }
  document.body.dataset.ready = ''
}

begin()
