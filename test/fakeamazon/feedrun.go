package fakeamazon

import (
	"bytes"
	"container/heap"
	"fmt"
	"slices"
	"time"

	"pricemanager/internal/price"
)

// opMessage is the name of a feed's message in violations.
const opMessage = "feedMessage"

// await notes that something of a listing becomes visible at a time.
func (f *Fake) await(k sellerKey, m price.MarketplaceID, sku price.SKU, at time.Time) {
	heap.Push(&f.waiting, appearance{at, offerKey{k.region, k.id, m, sku}})
}

// appearance is the moment at which an accepted patch shows.
type appearance struct {
	at  time.Time
	key offerKey
}

// appearances is a heap, the earliest on top.
type appearances []appearance

func (a appearances) Len() int           { return len(a) }
func (a appearances) Less(i, j int) bool { return a[i].at.Before(a[j].at) }
func (a appearances) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *appearances) Push(v any)        { *a = append(*a, v.(appearance)) }
func (a *appearances) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

// advance does what time does by itself, in its order, up to now: messages of
// feeds are processed, feeds end, patches show, notifications go out. Everything that looks
// at listings calls it first. The caller holds the lock.
func (f *Fake) advance(now time.Time) {
	for {
		job, at := f.nextMessage()
		if end := f.nextEnd(); end != nil && !end.Done.After(now) && (job == nil || end.Done.Before(at)) &&
			(len(f.waiting) == 0 || end.Done.Before(f.waiting[0].at)) {
			f.feedEnded(end)
			continue
		}
		if len(f.waiting) > 0 && (job == nil || !at.Before(f.waiting[0].at)) {
			if f.waiting[0].at.After(now) {
				break
			}
			due := heap.Pop(&f.waiting).(appearance)
			if s := f.sellers[sellerKey{due.key.region, due.key.seller}]; s != nil {
				f.find(s, due.key.marketplace, due.key.sku, due.at)
			}
			continue
		}
		if job == nil || at.After(now) {
			break
		}
		f.process(job, at)
	}
	f.noticeExpiry(now)
}

// nextMessage returns the feed whose next message is due first, and when.
func (f *Fake) nextMessage() (*feedJob, time.Time) {
	var first *feedJob
	var at time.Time
	for _, job := range f.feeds {
		if job.Cancelled || job.Problem != "" {
			continue
		}
		messages := len(f.uploads[job.Input].parsed().Messages)
		if job.Next >= messages || job.Next == job.StopAfter {
			continue
		}
		// Evenly over the time of processing, the last one before its end.
		step := job.Done.Sub(job.Started) / time.Duration(messages+1)
		if t := job.Started.Add(step * time.Duration(job.Next+1)); first == nil || t.Before(at) {
			first, at = job, t
		}
	}
	return first, at
}

// nextEnd returns the feed that ends first of those whose end was not told yet.
func (f *Fake) nextEnd() (first *feedJob) {
	for _, job := range f.feeds {
		if !job.Told && (first == nil || job.Done.Before(first.Done)) {
			first = job
		}
	}
	return first
}

// process takes the next message of a feed through the same judgement and the
// same delays as a patch.
func (f *Fake) process(job *feedJob, now time.Time) {
	file := f.uploads[job.Input].parsed()
	if job.order == nil {
		job.order = f.shuffled(job.ID, len(file.Messages))
	}
	step := job.Next
	m := file.Messages[job.order[step]]
	job.Next++
	f.touch()
	c := &call{key: job.key(), seller: f.sellers[job.key()], entry: &Request{
		Seq: job.seq, Time: now, Op: opMessage, Region: job.Region, Seller: job.Seller, SKU: m.SKU, Marketplaces: job.Marketplaces, Feed: job.ID,
	}}
	var verdict patchVerdict
	body := patchBody{m.ProductType, m.Patches}
	switch problem := body.problem(); {
	case m.Operation != "PATCH":
		f.log.violate(c.entry, now, "fake", "operation %s is not built into the fake", m.Operation)
		verdict = refused(codeMalformed, "The fake has no operation "+m.Operation)
	case job.Partly && step%3 == 0:
		verdict = refused(codeInternal, "An internal error occurred")
	case problem != "":
		verdict = refused(codeMalformed, problem)
	default:
		verdict = f.judgePatch(c, body, now)
	}
	for _, is := range verdict.issues {
		job.Issues = append(job.Issues, feedIssue{m.ID, m.SKU, is.Code, is.Severity, is.Message, slices.Concat(is.AttributeNames, []string{""})[0]})
	}
	if verdict.invalid {
		job.Invalid++
	} else {
		job.Accepted = append(job.Accepted, m.SKU)
	}
	c.drop = f.faults.drops(c.entry)
	f.acceptPatch(c, verdict, now)
}

func refused(code, text string) patchVerdict {
	return patchVerdict{invalid: true, issues: []issue{{Code: code, Message: text, Severity: "ERROR"}}}
}

// shuffled draws the order in which a feed's messages are processed.
func (f *Fake) shuffled(feed string, n int) []int {
	type draw struct {
		at  int
		sum [32]byte
	}
	draws := make([]draw, n)
	for i := range draws {
		draws[i] = draw{i, f.pace.sum("feed order", feed, i)}
	}
	slices.SortFunc(draws, func(a, b draw) int { return bytes.Compare(a.sum[:], b.sum[:]) })
	out := make([]int, n)
	for i, d := range draws {
		out[i] = d.at
	}
	return out
}

// resume rebuilds from the state what advance works with.
func (f *Fake) resume() error {
	for k, s := range f.sellers {
		for id, m := range s.markets {
			for sku, l := range m.listings {
				for _, p := range l.pending {
					f.await(k, id, sku, p.At)
				}
			}
		}
	}
	for _, job := range f.feeds {
		if f.uploads[job.Input] == nil || f.sellers[job.key()] == nil {
			return fmt.Errorf("feed %s lost its document or its seller", job.ID)
		}
	}
	return nil
}
