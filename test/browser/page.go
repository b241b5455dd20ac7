package browser

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// Page is one window with cookies of its own. Its methods fail the test.
type Page struct {
	t       *testing.T
	b       *Browser
	session string

	mu       sync.Mutex
	problems []string
}

// Open opens a window of so many pixels in width.
func (b *Browser) Open(t *testing.T, width int) *Page {
	t.Helper()
	p := &Page{t: t, b: b}
	var context struct {
		ID string `json:"browserContextId"`
	}
	var target struct {
		ID string `json:"targetId"`
	}
	var attached struct {
		ID string `json:"sessionId"`
	}
	p.ok(b.call("", "Target.createBrowserContext", nil, &context))
	p.ok(b.call("", "Target.createTarget", map[string]any{"url": "about:blank", "browserContextId": context.ID}, &target))
	p.ok(b.call("", "Target.attachToTarget", map[string]any{"targetId": target.ID, "flatten": true}, &attached))
	p.session = attached.ID
	b.mu.Lock()
	b.pages[p.session] = p
	b.mu.Unlock()
	for _, domain := range []string{"Page", "Runtime", "Log", "Accessibility"} {
		p.do(domain+".enable", nil, nil)
	}
	p.do("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false}, nil)
	p.do("Emulation.setFocusEmulationEnabled", map[string]any{"enabled": true}, nil)
	t.Cleanup(func() {
		for _, problem := range p.Problems() {
			t.Errorf("the browser says: %s", problem)
		}
	})
	return p
}

func (p *Page) ok(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *Page) do(method string, params, result any) {
	p.t.Helper()
	p.ok(p.b.call(p.session, method, params, result))
}

// heard keeps what the browser has against the page: scripts that failed, and what its
// policy forbids. Answers of 400 and more are the page's own business.
func (p *Page) heard(m reply) {
	var e struct {
		Entry struct {
			Source, Level, Text, URL string
		} `json:"entry"`
		Exception struct {
			Text      string `json:"text"`
			Exception struct {
				Description string `json:"description"`
			} `json:"exception"`
		} `json:"exceptionDetails"`
		Type string `json:"type"`
		Args []struct {
			Value       any    `json:"value"`
			Description string `json:"description"`
		} `json:"args"`
	}
	if json.Unmarshal(m.Params, &e) != nil {
		return
	}
	problem := ""
	switch m.Method {
	case "Log.entryAdded":
		if e.Entry.Source != "network" && (e.Entry.Level == "error" || e.Entry.Level == "warning") {
			problem = e.Entry.Source + ": " + e.Entry.Text
		}
	case "Runtime.exceptionThrown":
		problem = e.Exception.Text + " " + e.Exception.Exception.Description
	case "Runtime.consoleAPICalled":
		if e.Type == "error" || e.Type == "warning" {
			problem = fmt.Sprint(e.Args)
		}
	}
	if problem != "" {
		p.mu.Lock()
		p.problems = append(p.problems, problem)
		p.mu.Unlock()
	}
}

// Problems returns what the browser had against the page since it was last asked; what
// nobody asks for fails the test at its end.
func (p *Page) Problems() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.problems
	p.problems = nil
	return out
}

// Go opens an address.
func (p *Page) Go(url string) {
	p.t.Helper()
	var to struct {
		Error string `json:"errorText"`
	}
	p.do("Page.navigate", map[string]any{"url": url}, &to)
	if to.Error != "" {
		p.t.Fatalf("%s: %s", url, to.Error)
	}
}

// Offline has nothing answer any more.
func (p *Page) Offline() {
	p.t.Helper()
	p.do("Network.enable", nil, nil)
	p.do("Network.emulateNetworkConditions", map[string]any{"offline": true, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}, nil)
}

// Eval returns the value of an expression in the page.
func Eval[T any](p *Page, expression string) T {
	p.t.Helper()
	v, err := eval[T](p, expression)
	p.ok(err)
	return v
}

func eval[T any](p *Page, expression string) (T, error) {
	var out struct {
		Result struct {
			Value T `json:"value"`
		} `json:"result"`
		Exception *struct {
			Exception struct {
				Description string `json:"description"`
			} `json:"exception"`
		} `json:"exceptionDetails"`
	}
	err := p.b.call(p.session, "Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}, &out)
	if err == nil && out.Exception != nil {
		err = fmt.Errorf("%s: %s", expression, out.Exception.Exception.Description)
	}
	return out.Result.Value, err
}

// Wait waits until a condition holds in the page, or in the one that it leads to.
func (p *Page) Wait(condition string) {
	p.t.Helper()
	// The page looks by itself. It gives up after a moment, or with the page that it is in:
	// then the next one looks.
	look := `new Promise(done => { let n = 0; const look = () => { let ok = false; try { ok = !!(` + condition + `) } catch {} ; if (ok || ++n > 25) done(ok); else setTimeout(look, 20) }; look() })`
	var err error
	for limit := time.Now().Add(patience); time.Now().Before(limit); {
		var ok bool
		if ok, err = eval[bool](p, look); ok && err == nil {
			return
		}
	}
	shown, _ := eval[string](p, "location.href + '\\n' + document.body.innerText")
	p.t.Fatalf("%s did not come true (%v) in\n%s", condition, err, shown)
}

// Heading waits for the page whose visible first heading it is.
func (p *Page) Heading(text string) {
	p.t.Helper()
	p.Wait(fmt.Sprintf(`document.readyState === 'complete' && [...document.querySelectorAll('h1')].some(h => h.checkVisibility() && h.textContent === %q)`, text))
}

// Text returns what an element shows.
func (p *Page) Text(selector string) string {
	p.t.Helper()
	return Eval[string](p, fmt.Sprintf("document.querySelector(%q).innerText", selector))
}

var keys = map[string]struct {
	code int
	text string
}{"Tab": {9, ""}, "Enter": {13, "\r"}, "Escape": {27, ""}, " ": {32, " "}, "ArrowDown": {40, ""}, "ArrowUp": {38, ""}}

// Press presses a key.
func (p *Page) Press(key string) {
	p.t.Helper()
	k := keys[key]
	code := key
	if key == " " {
		code = "Space"
	}
	press := map[string]any{"type": "keyDown", "key": key, "code": code, "windowsVirtualKeyCode": k.code, "text": k.text}
	p.do("Input.dispatchKeyEvent", press, nil)
	p.do("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": key, "code": code, "windowsVirtualKeyCode": k.code}, nil)
}

// Reach goes to an element by the Tab key alone, as somebody without a mouse has to, and
// sees that the focus shows.
func (p *Page) Reach(selector string) {
	p.t.Helper()
	for range 120 {
		switch Eval[string](p, fmt.Sprintf(`(e => !e.matches(%q) ? 'elsewhere' : e.matches(':focus-visible') && getComputedStyle(e).outlineStyle === 'none' ? 'unseen' : 'there')(document.activeElement)`, selector)) {
		case "there":
			return
		case "unseen":
			p.t.Fatalf("%s has the focus and does not show it", selector)
		}
		p.Press("Tab")
	}
	p.t.Fatalf("the Tab key does not reach %s in\n%s", selector, p.Text("body"))
}

// Type goes to a field by the Tab key and types a text into it, over what is there.
func (p *Page) Type(selector, text string) {
	p.t.Helper()
	p.Reach(selector)
	Eval[any](p, "document.activeElement.select?.()")
	p.do("Input.insertText", map[string]any{"text": text}, nil)
}

// Choose goes to a button or link by the Tab key and presses Enter.
func (p *Page) Choose(selector string) {
	p.t.Helper()
	p.Reach(selector)
	p.Press("Enter")
}

// Unnamed lists what can be used or looked at and says nothing to a screen reader, by the
// browser's accessibility tree.
func (p *Page) Unnamed() (out []string) {
	p.t.Helper()
	type value struct {
		Value any `json:"value"`
	}
	var tree struct {
		Nodes []struct {
			Ignored bool  `json:"ignored"`
			Role    value `json:"role"`
			Name    value `json:"name"`
			Node    int   `json:"backendDOMNodeId"`
		} `json:"nodes"`
	}
	p.do("Accessibility.getFullAXTree", nil, &tree)
	needs := map[any]bool{"textbox": true, "button": true, "link": true, "checkbox": true, "combobox": true, "spinbutton": true, "image": true, "heading": true, "dialog": true, "group": false}
	for _, n := range tree.Nodes {
		name, _ := n.Name.Value.(string)
		if !n.Ignored && needs[n.Role.Value] && strings.TrimSpace(name) == "" {
			out = append(out, fmt.Sprintf("%v %d", n.Role.Value, n.Node))
		}
	}
	if len(tree.Nodes) < 5 {
		p.t.Fatal("there is no accessibility tree")
	}
	return out
}

// Wide is by how many pixels the page is wider than its window.
func (p *Page) Wide() int {
	p.t.Helper()
	return Eval[int](p, "document.documentElement.scrollWidth - innerWidth")
}

// Shot writes a picture of the whole page.
func (p *Page) Shot(file string) {
	p.t.Helper()
	var shot struct {
		Data string `json:"data"`
	}
	p.do("Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true}, &shot)
	picture, err := base64.StdEncoding.DecodeString(shot.Data)
	p.ok(err)
	p.ok(os.WriteFile(file, picture, 0o600))
}
