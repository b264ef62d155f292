package xds

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	clusterType  = resourcev3.ClusterType
	listenerType = resourcev3.ListenerType
	routeType    = resourcev3.RouteType
	secretType   = resourcev3.SecretType
)

var first = config{clusters: []string{"a", "b"}, listener: "one", secrets: map[string]string{"key/a": "sk-a", "key/b": "sk-b"}}

// becomes waits until the problems are these and no others.
func becomes(t *testing.T, c *control, problems ...string) {
	t.Helper()
	require.Eventually(t, func() bool { return slices.Equal(problems, c.Problems()) }, patience, time.Millisecond, "%v", problems)
}

func TestWithoutAnEnvoyOrASnapshotThereIsAProblem(t *testing.T) {
	c := newControl(t)
	assert.Equal(t, []string{"no Envoy is connected", "there is no configuration yet"}, c.Problems())
	require.NoError(t, c.Push(t.Context(), first.snapshot()))
	assert.Equal(t, []string{"no Envoy is connected"}, c.Problems())

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	err := c.Settled(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.ErrorContains(t, err, "no Envoy is connected")
}

func TestSettledWhenEveryTypeIsAcknowledged(t *testing.T) {
	c := newControl(t)
	require.NoError(t, c.Push(t.Context(), first.snapshot()))
	e := connect(t, c.path)
	e.subscribe(clusterType)
	r := e.next(clusterType)
	assert.Equal(t, []string{"a", "b"}, names(r))
	assert.Len(t, c.Problems(), 3, "sent is not taken")
	e.ack(r)
	e.subscribe(listenerType)
	e.ack(e.next(listenerType))
	e.subscribe(routeType, "route")
	routes := e.next(routeType)
	becomes(t, c, "an Envoy has not taken the current RouteConfiguration yet")
	e.ack(routes)
	require.NoError(t, c.settled(t))
	assert.Empty(t, c.Problems())
}

func TestAPushSendsOnlyWhatChanged(t *testing.T) {
	c := newControl(t)
	require.NoError(t, c.Push(t.Context(), first.snapshot()))
	e := connect(t, c.path)
	e.takeAll()
	require.NoError(t, c.settled(t))

	next := first
	next.clusters = []string{"b", "c"}
	require.NoError(t, c.Push(t.Context(), next.snapshot()))
	assert.NotEmpty(t, c.Problems(), "a push is open until it is acknowledged")
	r := e.next(clusterType)
	assert.Equal(t, []string{"c"}, names(r))
	assert.Equal(t, []string{"a"}, r.GetRemovedResources())
	e.ack(r)
	require.NoError(t, c.settled(t))

	require.NoError(t, c.Push(t.Context(), next.snapshot()))
	require.NoError(t, c.settled(t), "the same again changes nothing")
	assert.Empty(t, e.waiting, "and nothing else was sent")
}

func TestARefusalIsLoggedAndReportedInEnvoysWords(t *testing.T) {
	c := newControl(t)
	require.NoError(t, c.Push(t.Context(), first.snapshot()))
	e := connect(t, c.path)
	e.takeAll()
	require.NoError(t, c.settled(t))

	next := first
	next.listener = "two"
	require.NoError(t, c.Push(t.Context(), next.snapshot()))
	const words = "cannot bind '127.0.0.1:8080': Address already in use"
	e.nack(e.next(listenerType), words)
	err := c.settled(t)
	require.ErrorContains(t, err, "Envoy refused Listener: "+words)
	require.NotErrorIs(t, err, context.DeadlineExceeded, "a refusal is told at once")
	assert.Equal(t, []string{"Envoy refused Listener: " + words}, c.Problems())
	assert.Contains(t, c.log.String(), `reason="`+words+`"`)
	assert.Contains(t, c.log.String(), "level=ERROR")

	require.NoError(t, c.Push(t.Context(), first.snapshot()), "the old one again")
	require.NoError(t, c.settled(t), "which Envoy never stopped running")
	e.ack(e.next(listenerType))

	next.listener = "three"
	require.NoError(t, c.Push(t.Context(), next.snapshot()))
	e.ack(e.next(listenerType))
	require.NoError(t, c.settled(t), "a better one")
	assert.Empty(t, c.Problems())
}

// Envoy's answers travel: one to an older snapshot may arrive after the next one was pushed.
func TestALateRefusalOfAnOldSnapshotIsNotAboutTheCurrentOne(t *testing.T) {
	c := newControl(t)
	require.NoError(t, c.Push(t.Context(), first.snapshot()))
	e := connect(t, c.path)
	e.takeAll()
	require.NoError(t, c.settled(t))

	bad, good := first, first
	bad.listener, good.listener = "bad", "good"
	require.NoError(t, c.Push(t.Context(), bad.snapshot()))
	late := e.next(listenerType)
	require.NoError(t, c.Push(t.Context(), good.snapshot()))
	e.nack(late, "too late")
	now := e.next(listenerType)
	require.Eventually(t, func() bool { return strings.Contains(c.log.String(), "too late") },
		patience, time.Millisecond)
	assert.Equal(t, []string{"an Envoy has not taken the current Listener yet"}, c.Problems())
	e.ack(now)
	require.NoError(t, c.settled(t))
}

func TestAnEnvoyThatComesBackWithTheCurrentVersionsHasTakenThem(t *testing.T) {
	before := newControl(t)
	require.NoError(t, before.Push(t.Context(), first.snapshot()))
	e := connect(t, before.path)
	held := map[string]map[string]string{}
	for _, typeURL := range required {
		e.subscribe(typeURL, subscriptions[typeURL]...)
		r := e.next(typeURL)
		held[typeURL] = map[string]string{}
		for _, resource := range r.GetResources() {
			held[typeURL][resource.GetName()] = resource.GetVersion()
		}
		e.ack(r)
	}
	e.hangUp()
	becomes(t, before, "no Envoy is connected")

	// The control plane was started again and knows nothing of before.
	after := newControl(t)
	require.NoError(t, after.Push(t.Context(), first.snapshot()))
	e = connect(t, after.path)
	for _, typeURL := range required {
		e.resubscribe(typeURL, held[typeURL], subscriptions[typeURL]...)
	}
	require.NoError(t, after.settled(t))

	// With an older state it gets what it lacks.
	changed := first
	changed.clusters = []string{"a", "b", "c"}
	third := newControl(t)
	require.NoError(t, third.Push(t.Context(), changed.snapshot()))
	e = connect(t, third.path)
	for _, typeURL := range required {
		e.resubscribe(typeURL, held[typeURL], subscriptions[typeURL]...)
	}
	r := e.next(clusterType)
	assert.Equal(t, []string{"c"}, names(r))
	assert.NotEmpty(t, third.Problems())
	e.ack(r)
	require.NoError(t, third.settled(t))
}

func TestTwoEnvoysMustBothTakeASnapshot(t *testing.T) {
	c := newControl(t)
	require.NoError(t, c.Push(t.Context(), first.snapshot()))
	one, two := connect(t, c.path), connect(t, c.path)
	one.takeAll()
	two.takeAll()
	require.NoError(t, c.settled(t))

	next := first
	next.listener = "two"
	require.NoError(t, c.Push(t.Context(), next.snapshot()))
	one.ack(one.next(listenerType))
	open := two.next(listenerType)
	two.nack(open, "not here")
	require.ErrorContains(t, c.settled(t), "not here")
	two.hangUp()
	becomes(t, c) // the one that refused has gone
}

// The order of the two answers must not matter: what one Envoy takes does not undo what the other refused.
func TestOneEnvoysAcknowledgementDoesNotHideTheOthersRefusal(t *testing.T) {
	c := newControl(t)
	require.NoError(t, c.Push(t.Context(), first.snapshot()))
	one, two := connect(t, c.path), connect(t, c.path)
	one.takeAll()
	two.takeAll()
	require.NoError(t, c.settled(t))

	next := first
	next.listener = "two"
	require.NoError(t, c.Push(t.Context(), next.snapshot()))
	ok := one.next(listenerType)
	two.nack(two.next(listenerType), "not here")
	require.ErrorContains(t, c.settled(t), "not here")
	one.ack(ok)
	becomes(t, c, "Envoy refused Listener: not here")
}

func TestASecretGoesOnlyToWhoAsksForIt(t *testing.T) {
	c := newControl(t)
	require.NoError(t, c.Push(t.Context(), first.snapshot()))
	one, two := connect(t, c.path), connect(t, c.path)
	one.takeAll()
	two.takeAll()
	require.NoError(t, c.settled(t), "no secret asked for, none missing")

	one.subscribe(secretType, "key/a")
	r := one.next(secretType)
	assert.Equal(t, []string{"key/a"}, names(r))
	becomes(t, c, "an Envoy has not taken the current Secret yet")
	one.ack(r)
	require.NoError(t, c.settled(t))

	changed := first
	changed.secrets = map[string]string{"key/a": "sk-a", "key/b": "sk-another", "key/c": "sk-c"}
	require.NoError(t, c.Push(t.Context(), changed.snapshot()))
	require.NoError(t, c.settled(t), "what changed is not what was asked for")

	changed.secrets = map[string]string{"key/a": "sk-new", "key/b": "sk-another", "key/c": "sk-c"}
	require.NoError(t, c.Push(t.Context(), changed.snapshot()))
	r = one.next(secretType)
	assert.Equal(t, []string{"key/a"}, names(r))
	one.ack(r)
	require.NoError(t, c.settled(t))
	for {
		select {
		case r := <-two.responses:
			require.NotEqual(t, secretType, r.GetTypeUrl(), "a secret went to one that did not ask")
			continue
		default:
		}
		break
	}
	assert.NotContains(t, c.log.String(), "sk-", "no key in the log")
}

// A certificate that cannot be used changes nothing but secrets: the refusal must reach whoever waits for the push.
func TestARefusedSecretIsWaitedFor(t *testing.T) {
	c := newControl(t)
	require.NoError(t, c.Push(t.Context(), first.snapshot()))
	e := connect(t, c.path)
	e.takeAll()
	e.subscribe(secretType, "key/a", "key/b")
	e.ack(e.next(secretType))
	require.NoError(t, c.settled(t))

	bad := first
	bad.secrets = map[string]string{"key/a": "sk-bad", "key/b": "sk-b"}
	require.NoError(t, c.Push(t.Context(), bad.snapshot()))
	assert.Equal(t, []string{"an Envoy has not taken the current Secret yet"}, c.Problems(), "before anything was sent")
	e.nack(e.next(secretType), "no good")
	require.ErrorContains(t, c.settled(t), "Envoy refused Secret: no good")

	require.NoError(t, c.Push(t.Context(), first.snapshot()))
	require.NoError(t, c.settled(t), "which Envoy never stopped using")
	e.ack(e.next(secretType))

	e.send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: secretType, ResourceNamesUnsubscribe: []string{"key/a"}})
	require.NoError(t, c.Push(t.Context(), bad.snapshot()))
	require.Eventually(t, func() bool { return len(c.Problems()) == 0 }, patience, time.Millisecond, "nobody uses it any more")
}

// Several answers may be under way at a time: each is for the secrets in it.
func TestEachAnswerIsForItsOwnSecrets(t *testing.T) {
	c := newControl(t)
	require.NoError(t, c.Push(t.Context(), first.snapshot()))
	e := connect(t, c.path)
	e.takeAll()
	e.subscribe(secretType, "key/a")
	a := e.next(secretType)
	e.subscribe(secretType, "key/b")
	b := e.next(secretType)
	e.ack(b)
	becomes(t, c, "an Envoy has not taken the current Secret yet")
	e.ack(a)
	require.NoError(t, c.settled(t))
}

func TestPushesAnswersAndQuestionsAtTheSameTime(t *testing.T) {
	c := newControl(t)
	require.NoError(t, c.Push(t.Context(), first.snapshot()))
	const envoys = 4
	done := make(chan struct{})
	for range envoys {
		e := connect(t, c.path)
		e.takeAll()
		go func() {
			for {
				select {
				case <-done:
					return
				case r := <-e.responses:
					e.ack(r)
				}
			}
		}()
	}
	for i := range 200 {
		next := first
		next.clusters = []string{"a", "b", string(rune('c' + i%20))}
		require.NoError(t, c.Push(t.Context(), next.snapshot()))
		_ = c.Problems()
		if i%20 == 0 {
			require.NoError(t, c.settled(t))
		}
	}
	require.NoError(t, c.settled(t))
	close(done)
}
