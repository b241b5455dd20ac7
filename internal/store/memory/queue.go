package memory

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/store"
)

// Queue is a store.Queue in memory, with the consumer's side of SQS: a received
// message is hidden for a while and comes back unless it is deleted.
type Queue struct {
	clock clock.Clock

	mu       sync.Mutex
	sent     int
	messages []*message // in order of at, then of sending
}

type message struct {
	Message
	at time.Time // visible from then on
}

// Message is one delivery.
type Message struct {
	ID         string
	Body       []byte
	Deliveries int // how often it was received, this time included
}

var _ store.Queue = (*Queue)(nil)

// NewQueue returns an empty queue whose delays the clock measures.
func NewQueue(clk clock.Clock) *Queue { return &Queue{clock: clk} }

// Send enqueues body.
func (q *Queue) Send(ctx context.Context, body []byte, delay time.Duration) error {
	seconds, err := store.CheckMessage(body, delay)
	if err = cmp.Or(ctx.Err(), err); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sent++
	q.insert(&message{
		Message: Message{ID: strconv.Itoa(q.sent), Body: slices.Clone(body)},
		at:      q.clock.Now().Add(time.Duration(seconds) * time.Second),
	})
	return nil
}

func (q *Queue) insert(m *message) {
	i, _ := slices.BinarySearchFunc(q.messages, m, func(a, b *message) int {
		return cmp.Or(a.at.Compare(b.at), -1) // equals stay before the new one
	})
	q.messages = slices.Insert(q.messages, i, m)
}

// Receive returns at most limit visible messages and hides them for the given
// time, which must be positive.
func (q *Queue) Receive(limit int, hide time.Duration) []Message {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.clock.Now()
	n := 0
	for n < len(q.messages) && n < limit && !q.messages[n].at.After(now) {
		n++
	}
	taken := slices.Clone(q.messages[:n])
	q.messages = slices.Delete(q.messages, 0, n)
	out := make([]Message, 0, n)
	for _, m := range taken {
		m.Deliveries++
		m.at = now.Add(hide)
		q.insert(m)
		got := m.Message
		got.Body = slices.Clone(m.Body)
		out = append(out, got)
	}
	return out
}

// Delete removes messages by id; unknown ids are no error.
func (q *Queue) Delete(ids ...string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.messages = slices.DeleteFunc(q.messages, func(m *message) bool { return slices.Contains(ids, m.ID) })
}

// Next is when the earliest message is or was visible; ok is false when the
// queue is empty.
func (q *Queue) Next() (at time.Time, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.messages) == 0 {
		return time.Time{}, false
	}
	return q.messages[0].at, true
}

// Len is how many messages there are, hidden ones included.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.messages)
}

// Sent is how many messages were ever sent: what SQS would have charged for.
func (q *Queue) Sent() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.sent
}
