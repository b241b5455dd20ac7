package watch

import "slices"

// minPast is how many past values make a baseline. With fewer the floor alone decides.
const minPast = 5

// maxPast is how many past values are kept, the newest ones.
const maxPast = 32

// baseline is what is usual: the median of past values, and the median of their
// distances from it, which a few outliers do not move.
type baseline struct {
	Median, Deviation int64
	known             bool
}

func baselineOf(past []int64) baseline {
	if len(past) < minPast {
		return baseline{}
	}
	m := median(past)
	away := make([]int64, len(past))
	for i, v := range past {
		away[i] = max(v-m, m-v)
	}
	return baseline{m, median(away), true}
}

// median is the lower median of values that are not none.
func median(values []int64) int64 {
	s := slices.Sorted(slices.Values(values))
	return s[(len(s)-1)/2]
}

// remember appends a value and forgets the oldest ones.
func remember(past []int64, v int64) []int64 {
	past = append(past, v)
	return past[max(0, len(past)-maxPast):]
}
