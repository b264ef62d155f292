package harness

import (
	"strings"
	"sync"
	"time"
)

// Output is what a process has printed so far. It may be read while the process writes.
type Output struct {
	mu   sync.Mutex
	text []byte
}

func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, p...)
	return len(p), nil
}

// String is everything so far.
func (o *Output) String() string { return o.Since(0) }

// Len is how many bytes have been printed: a mark for Since.
func (o *Output) Len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.text)
}

// Since is what was printed after the mark.
func (o *Output) Since(mark int) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.text[min(mark, len(o.text)):])
}

// Contains says whether the text has been printed.
func (o *Output) Contains(text string) bool { return strings.Contains(o.String(), text) }

// Await waits for a text, and fails the test when it does not come within the time.
func (o *Output) Await(t T, within time.Duration, text string) {
	t.Helper()
	Eventually(t, within, "the output holds "+text, func() bool { return o.Contains(text) })
}
