package limit

import (
	"maps"
	"sync"
	"time"
)

// remembered bounds how many counters an instance remembers, some 1 MB.
const remembered = 4096

// seen is what an instance remembers of counters, to guess right what to write and
// to write nothing where nothing can be taken. The zero value is empty.
type seen struct {
	mu sync.Mutex
	m  map[place]*memory
}

type memory struct {
	state
	refused int // until state.full
}

func (s *seen) get(at place) state {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.m[at]; m != nil {
		return m.state
	}
	return state{}
}

// set remembers; now says which memories are of no use any more.
func (s *seen) set(at place, st state, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.m[at]; m != nil {
		if !m.full.Equal(st.full) {
			m.refused = 0
		}
		m.state = st
		return
	}
	if len(s.m) >= remembered {
		maps.DeleteFunc(s.m, func(_ place, m *memory) bool { return !now.Before(m.running) })
	}
	if s.m == nil || len(s.m) >= remembered {
		s.m = map[place]*memory{}
	}
	s.m[at] = &memory{state: st}
}

// refuse counts a refusal and returns how many there were.
func (s *seen) refuse(at place) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.m[at]
	if m == nil { // forgotten meanwhile
		return 0
	}
	m.refused++
	return m.refused
}
