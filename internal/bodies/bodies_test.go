package bodies

import (
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
)

func TestAShareIsRefusedWhatWouldBeTooMuchForAll(t *testing.T) {
	l := NewLimit(10)
	a, b := l.Share(), l.Share()
	require.Nil(t, a.Grow(6))
	require.Nil(t, b.Grow(4))
	refusal := b.Grow(1)
	require.NotNil(t, refusal)
	assert.Equal(t, 503, refusal.Status())
	assert.Contains(t, refusal.Error(), "SERVER_MAX_REQUEST_BODIES_SIZE")
	a.Release()
	a.Release() // gives nothing back twice
	require.Nil(t, b.Grow(6))
	require.NotNil(t, a.Grow(1))
	l.Set(11)
	require.Nil(t, a.Grow(1))
	b.Release()
	a.Release()
	assert.Zero(t, l.held.Load())
}

func TestReadingCountsAndStopsWhereThereIsNoRoom(t *testing.T) {
	l := NewLimit(100)
	s := l.Share()
	raw, err := io.ReadAll(s.Reader(strings.NewReader(strings.Repeat("x", 60))))
	require.NoError(t, err)
	assert.Len(t, raw, 60)
	_, err = io.ReadAll(s.Reader(strings.NewReader(strings.Repeat("x", 60))))
	var refusal *apierror.Error
	require.True(t, errors.As(err, &refusal), "%v", err)
	s.Release()
	assert.Zero(t, l.held.Load())
}

func TestManyAtOnceLeaveNothingBehind(t *testing.T) {
	l := NewLimit(1000)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			for i := range 200 {
				s := l.Share()
				_ = s.Grow(i)
				s.Release()
			}
		})
	}
	all.Wait()
	assert.Zero(t, l.held.Load())
}
