//go:build bench

package virtual

// outside runs functions in a goroutine outside the bubble, where there are a
// network and real time. The bubble's time stands still meanwhile, because
// whoever waits on a channel from outside does not count as waiting. A function
// must use nothing that lives in the bubble but memory: no channel, no timer, no
// context with a deadline.
type outside struct {
	work chan func()
	done chan struct{}
}

// newOutside is called outside the bubble, and close when it has ended.
func newOutside() *outside {
	o := &outside{work: make(chan func()), done: make(chan struct{})}
	go func() {
		for f := range o.work {
			f()
			o.done <- struct{}{}
		}
	}()
	return o
}

// run returns when f has returned. One caller at a time.
func (o *outside) run(f func()) {
	o.work <- f
	<-o.done
}

func (o *outside) close() { close(o.work) }
