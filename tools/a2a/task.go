package a2a

import (
	"sync"

	sdk "github.com/a2aproject/a2a-go/v2/a2a"
)

// task gathers what one call hears from the agent: a message, or the states and artifacts of a task. The exchange writes,
// the caller reads.
type task struct {
	c     *connection
	known chan struct{} // closed once the id is known

	mu        sync.Mutex
	given     sdk.TaskID // by the model, to go on with
	heard     sdk.TaskID // from the agent
	contextID string
	status    sdk.TaskStatus
	artifacts []*sdk.Artifact
	message   *sdk.Message
}

func newTask(c *connection, given sdk.TaskID) *task {
	t := &task{c: c, given: given, known: make(chan struct{})}
	if given != "" {
		close(t.known)
	}
	return t
}

// add takes in an event. Whatever a stream says about another task is not this call's.
func (t *task) add(event sdk.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch e := event.(type) {
	case *sdk.Message:
		t.message = e
		t.contextID = e.ContextID
	case *sdk.Task:
		if e == nil || !t.hear(e.ID, e.ContextID) {
			return
		}
		t.status = e.Status
		t.artifacts = append([]*sdk.Artifact(nil), e.Artifacts...)
	case *sdk.TaskStatusUpdateEvent:
		if t.hear(e.TaskID, e.ContextID) {
			t.status = e.Status
		}
	case *sdk.TaskArtifactUpdateEvent:
		if e.Artifact != nil && t.hear(e.TaskID, e.ContextID) {
			t.addArtifact(e)
		}
	}
}

func (t *task) hear(id sdk.TaskID, contextID string) bool {
	if id == "" || t.heard != "" && t.heard != id {
		return false
	}
	if t.heard == "" {
		if t.heard = id; t.given == "" {
			close(t.known)
		}
	}
	if contextID != "" {
		t.contextID = contextID
	}
	return true
}

// addArtifact joins the pieces of one artifact. Text that is continued continues, so that words sent in pieces stay words.
func (t *task) addArtifact(e *sdk.TaskArtifactUpdateEvent) {
	for i, a := range t.artifacts {
		if a == nil || a.ID != e.Artifact.ID {
			continue
		}
		if !e.Append {
			t.artifacts[i] = e.Artifact
			return
		}
		joined := *a
		joined.Parts = appendParts(a.Parts, e.Artifact.Parts)
		t.artifacts[i] = &joined
		return
	}
	t.artifacts = append(t.artifacts, e.Artifact)
}

func appendParts(have, more sdk.ContentParts) sdk.ContentParts {
	if len(have) == 0 || len(more) == 0 || !isText(have[len(have)-1]) || !isText(more[0]) {
		return append(have[:len(have):len(have)], more...)
	}
	last := len(have) - 1
	joined := append(sdk.ContentParts{}, have[:last]...)
	joined = append(joined, sdk.NewTextPart(have[last].Text()+more[0].Text()))
	return append(joined, more[1:]...)
}

func isText(p *sdk.Part) bool {
	if p == nil {
		return false
	}
	_, ok := p.Content.(sdk.Text)
	return ok
}

// id is the task to ask for or to cancel.
func (t *task) id() sdk.TaskID {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.heard != "" {
		return t.heard
	}
	return t.given
}

func (t *task) started() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.heard != ""
}

// over tells that there is nothing left to cancel.
func (t *task) over() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.message != nil || t.status.State.Terminal()
}

// running tells that the agent works on a task it has spoken of.
func (t *task) running() bool { return t.started() && !t.settled() }

// settled tells that nothing more comes unless somebody acts.
func (t *task) settled() bool {
	if t.over() {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.status.State == sdk.TaskStateInputRequired || t.status.State == sdk.TaskStateAuthRequired
}
