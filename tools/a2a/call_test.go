package a2a

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/inference-gateway/envoy-inference-gateway/tools"
)

// states answers every method by a task, in the next of the states, the last one again and again.
func states(words string, list ...string) func(http.ResponseWriter, *http.Request, rpcCall) {
	var n atomic.Int32
	return func(w http.ResponseWriter, _ *http.Request, c rpcCall) {
		state := list[min(int(n.Add(1))-1, len(list)-1)]
		if c.Method == "SendMessage" {
			say(w, c, `{"task":`+taskJSON("t1", state, words)+`}`)
			return
		}
		say(w, c, taskJSON("t1", state, words))
	}
}

func TestOutcomesOfTasks(t *testing.T) {
	tests := map[string]struct{ state, words, status, text string }{
		"completed without text": {"COMPLETED", "", tools.StatusOK, "(the agent finished without text)"},
		"completed":              {"COMPLETED", "all done at http://x/", tools.StatusOK, "all done at http://x/"},
		"failed":                 {"FAILED", "no paper in http://10.1.2.3:631/p nor 10.1.2.3:80 with secret-value", tools.StatusError, "its task failed: no paper in (address) nor (address) with (secret)"},
		"rejected":               {"REJECTED", "not my job", tools.StatusError, "rejected the task: not my job"},
		"cancelled":              {"CANCELED", "", tools.StatusError, "cancelled at the agent"},
		"input required":         {"INPUT_REQUIRED", "Which one?", tools.StatusNeedsInput, "Which one?\n\n[The agent waits for an answer. To give it, call this tool again with task_id \"t1\" and context_id \"ctx\"."},
		"sign-in required":       {"AUTH_REQUIRED", "go to http://login/", tools.StatusError, "sign-in"},
	}
	for name, tt := range tests {
		for _, how := range []string{"at once", "polled", "streamed"} {
			t.Run(name+" "+how, func(t *testing.T) {
				answer := states(tt.words, tt.state)
				switch how {
				case "polled":
					answer = states(tt.words, "SUBMITTED", "WORKING", tt.state)
				case "streamed":
					answer = func(w http.ResponseWriter, _ *http.Request, c rpcCall) {
						startStream(w)
						say(w, c, `{"task":`+taskJSON("t1", "WORKING", "")+`}`)
						say(w, c, updateJSON("other", "COMPLETED", "not yours"))
						say(w, c, updateJSON("t1", tt.state, tt.words))
					}
				}
				f := newFake(t, cardOf(how == "streamed", "x"), answer)
				m := up(t, f, func(o *Options) { o.Agents[0].Headers = http.Header{"Authorization": {"Bearer secret-value"}} })
				expect(t, tell(t, m, "a2a_a_x", "hi"), tt.status, tt.text)
			})
		}
	}
}

func TestArtifactsComeBeforeTheStatusMessage(t *testing.T) {
	f := newFake(t, cardOf(true, "x"), func(w http.ResponseWriter, _ *http.Request, c rpcCall) {
		startStream(w)
		say(w, c, `{"task":`+taskJSON("t1", "WORKING", "")+`}`)
		say(w, c, pieceJSON("t1", "one", "Hel", false))
		say(w, c, pieceJSON("t1", "two", "old", false))
		say(w, c, pieceJSON("t1", "one", "lo", true))
		say(w, c, pieceJSON("t1", "two", "second", false))
		say(w, c, `{"artifactUpdate":{"taskId":"t1","artifact":{"artifactId":"f","parts":[{"raw":"AAAA","filename":"a.png","mediaType":"image/png"},{"data":{"a":1}},null]}}}`)
		say(w, c, updateJSON("t1", "COMPLETED", "finished"))
	})
	expect(t, tell(t, up(t, f, nil), "a2a_a_x", "hi"), tools.StatusOK, "Hello\n\nsecond\n\n[file a.png image/png, 3 bytes]\n{\"a\":1}")
}

// What a listener hears as one text is one text for who asks afterwards, when the pieces have become parts.
func TestATextInPiecesIsOneText(t *testing.T) {
	for _, c := range []struct{ parts, want string }{
		{`{"text":"Once"},{"text":" upon "},{"text":"a"},{"text":" time\n"},{"text":"there"}`, "Once upon a time\nthere"},
		{`{"text":"The first."},{"text":"The second."}`, "The first.\nThe second."},
		{`{"text":"One "},{"text":"line"},{"data":{"a":1}},{"text":"more "},{"text":"words"}`, "One line\n{\"a\":1}\nmore words"},
	} {
		f := newFake(t, cardOf(false, "x"), func(w http.ResponseWriter, _ *http.Request, asked rpcCall) {
			task := `{"id":"t1","contextId":"ctx","status":{"state":"TASK_STATE_COMPLETED"},"artifacts":[{"artifactId":"a","parts":[` + c.parts + `]}]}`
			if asked.Method != "GetTask" {
				task = `{"task":` + task + `}`
			}
			say(w, asked, task)
		})
		if got := tell(t, up(t, f, nil), "a2a_a_x", "hi"); got.Status != tools.StatusOK || got.Text != c.want {
			t.Errorf("got %+v, want %q", got, c.want)
		}
	}
}

// A time without its zone does not cost the answer, and what an agent calls by that name stays as it is.
func TestATimeWithoutAZone(t *testing.T) {
	const status = `"status":{"timestamp":"2026-11-30T11:30:55.169811","state":"TASK_STATE_%s"}`
	const data = `{"artifactId":"a","parts":[{"data":{"status":{"timestamp":"2026-11-30T11:30:55"}}}]}`
	for _, how := range []string{"at once", "polled", "streamed"} {
		t.Run(how, func(t *testing.T) {
			f := newFake(t, cardOf(how == "streamed", "x"), func(w http.ResponseWriter, _ *http.Request, c rpcCall) {
				task := func(state string) string {
					return `{"id":"t1","contextId":"ctx",` + fmt.Sprintf(status, state) + `,"artifacts":[` + data + `]}`
				}
				switch {
				case how == "streamed":
					startStream(w)
					say(w, c, `{"task":`+task("WORKING")+`}`)
					say(w, c, `{"statusUpdate":{"taskId":"t1","contextId":"ctx",`+fmt.Sprintf(status, "COMPLETED")+`}}`)
				case c.Method == "GetTask":
					say(w, c, task("COMPLETED"))
				case how == "polled":
					say(w, c, `{"task":`+task("WORKING")+`}`)
				default:
					say(w, c, `{"task":`+task("COMPLETED")+`}`)
				}
			})
			got := tell(t, up(t, f, nil), "a2a_a_x", "hi")
			if want := `{"status":{"timestamp":"2026-11-30T11:30:55"}}`; got.Status != tools.StatusOK || got.Text != want {
				t.Errorf("got %+v, want %s", got, want)
			}
		})
	}
}

// LangGraph's streams of protocol 1.0 begin as such and go on as in 0.3.
func TestAStreamOfTwoProtocols(t *testing.T) {
	f := newFake(t, cardOf(true, "x"), func(w http.ResponseWriter, _ *http.Request, c rpcCall) {
		startStream(w)
		say(w, c, `{"task":`+taskJSON("t1", "SUBMITTED", "")+`}`)
		say(w, c, `{"kind":"status-update","taskId":"t1","contextId":"ctx","final":false,`+
			`"status":{"state":"TASK_STATE_WORKING","message":{"kind":"message","messageId":"m","role":"ROLE_AGENT","parts":[{"kind":"text","text":"hm"}]}}}`)
		say(w, c, `{"kind":"artifact-update","taskId":"t1","contextId":"ctx","append":false,"artifact":{"artifactId":"a","parts":[{"kind":"text","text":"the answer"}]}}`)
		say(w, c, `{"kind":"status-update","taskId":"t1","contextId":"ctx","final":true,"status":{"state":"TASK_STATE_COMPLETED"}}`)
	})
	expect(t, tell(t, up(t, f, nil), "a2a_a_x", "hi"), tools.StatusOK, "the answer")
	if got := f.methods(); len(got) != 1 {
		t.Errorf("the agent was asked %q", got)
	}
}

// LangGraph refuses a request that does not say so.
func TestAgentsAreToldWhatIsAccepted(t *testing.T) {
	f := newFake(t, cardOf(false, "x"), func(w http.ResponseWriter, r *http.Request, c rpcCall) {
		if r.Header.Get("Accept") != "application/json" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		echo(w, r, c)
	})
	expect(t, tell(t, up(t, f, nil), "a2a_a_x", "hi"), tools.StatusOK, "heard hi")
}

// Over REST agents have a type of their own for what they send, errors too (the JavaScript SDK's).
func TestErrorsOfATypeOfTheirOwn(t *testing.T) {
	card := strings.Replace(cardOf(true, "x"), "JSONRPC", "HTTP+JSON", 1)
	said := `{"error":{"code":400,"status":"FAILED_PRECONDITION","message":"no streams","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"UNSUPPORTED_OPERATION","domain":"a2a-protocol.org"}]}}`
	f := newFake(t, card, func(w http.ResponseWriter, r *http.Request, c rpcCall) {
		w.Header().Set("Content-Type", "application/a2a+json; charset=utf-8")
		if strings.HasSuffix(r.URL.Path, ":stream") {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, said)
			return
		}
		_, _ = io.WriteString(w, `{"message":{"messageId":"m","role":"ROLE_AGENT","parts":[{"text":"done plainly"}]}}`)
	})
	expect(t, tell(t, up(t, f, nil), "a2a_a_x", "hi"), tools.StatusOK, "done plainly")
	f.set(func() {
		said = strings.Replace(said, "UNSUPPORTED_OPERATION", "INVALID_PARAMS", 1)
		said = strings.Replace(said, "no streams", "not so", 1)
	})
	expect(t, tell(t, up(t, f, nil), "a2a_a_x", "hi"), tools.StatusError, "not so")
}

func TestAStreamThatBreaksIsFollowedByPolling(t *testing.T) {
	for _, how := range []string{"ends", "is cut"} {
		t.Run(how, func(t *testing.T) {
			f := newFake(t, cardOf(true, "x"), func(w http.ResponseWriter, _ *http.Request, c rpcCall) {
				if c.Method == "GetTask" {
					say(w, c, taskJSON("t1", "COMPLETED", "still done"))
					return
				}
				startStream(w)
				say(w, c, `{"task":`+taskJSON("t1", "WORKING", "")+`}`)
				if how == "is cut" {
					panic(http.ErrAbortHandler)
				}
			})
			expect(t, tell(t, up(t, f, nil), "a2a_a_x", "hi"), tools.StatusOK, "still done")
		})
	}
}

func TestAnAgentThatDoesNotStreamAfterAllIsAskedPlainly(t *testing.T) {
	f := newFake(t, cardOf(true, "x"), func(w http.ResponseWriter, r *http.Request, c rpcCall) {
		if c.Method == "SendStreamingMessage" {
			refuse(w, c, -32004, "no streams")
			return
		}
		echo(w, r, c)
	})
	expect(t, tell(t, up(t, f, nil), "a2a_a_x", "hi"), tools.StatusOK, "heard hi")
}

func TestAnswersThatMakeNoSense(t *testing.T) {
	tests := map[string]struct {
		answer func(http.ResponseWriter, *http.Request, rpcCall)
		text   string
	}{
		"refused": {func(w http.ResponseWriter, _ *http.Request, c rpcCall) {
			refuse(w, c, -32602, "at http://10.0.0.1/ no")
		}, "it refuses the request: at (address) no"},
		"unauthorised":  {func(w http.ResponseWriter, _ *http.Request, _ rpcCall) { w.WriteHeader(http.StatusUnauthorized) }, "credentials"},
		"an error page": {func(w http.ResponseWriter, _ *http.Request, _ rpcCall) { w.WriteHeader(http.StatusTeapot) }, "HTTP status 418"},
		"null":          {func(w http.ResponseWriter, _ *http.Request, c rpcCall) { say(w, c, "null") }, "cannot be understood"},
		"HTML":          {func(w http.ResponseWriter, _ *http.Request, _ rpcCall) { _, _ = io.WriteString(w, "<html>") }, ""},
		"nothing":       {func(http.ResponseWriter, *http.Request, rpcCall) {}, ""},
		"cut off": {func(w http.ResponseWriter, _ *http.Request, _ rpcCall) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"jsonrpc"`)
		}, ""},
		"a task without an id": {func(w http.ResponseWriter, _ *http.Request, c rpcCall) {
			say(w, c, `{"task":{"status":{"state":"TASK_STATE_WORKING"}}}`)
		}, ""},
	}
	for name, tt := range tests {
		for _, streaming := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s streaming=%v", name, streaming), func(t *testing.T) {
				f := newFake(t, cardOf(streaming, "x"), tt.answer)
				expect(t, tell(t, up(t, f, nil), "a2a_a_x", "hi"), tools.StatusError, tt.text)
			})
		}
	}
}

func TestAnAnswerThatIsTooLargeIsNotRead(t *testing.T) {
	for _, how := range []string{"plain", "streamed"} {
		t.Run(how, func(t *testing.T) {
			var sent atomic.Int64
			f := newFake(t, cardOf(how == "streamed", "x"), func(w http.ResponseWriter, _ *http.Request, c rpcCall) {
				if c.Method == "CancelTask" {
					say(w, c, taskJSON("t1", "CANCELED", ""))
					return
				}
				chunk := strings.Repeat("x", 1<<16)
				if how == "streamed" {
					startStream(w)
					say(w, c, `{"task":`+taskJSON("t1", "WORKING", "")+`}`)
				} else {
					_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":"1","result":{"message":{"parts":[{"text":"`)
				}
				for range 1024 { // 64 MiB
					if how == "streamed" {
						say(w, c, pieceJSON("t1", "a", chunk, true))
					} else if _, err := io.WriteString(w, chunk); err != nil {
						return
					}
					if sent.Add(int64(len(chunk))); http.NewResponseController(w).Flush() != nil {
						return
					}
				}
			})
			m := up(t, f, func(o *Options) { o.MaxBody = 1 << 20 })
			expect(t, tell(t, m, "a2a_a_x", "hi"), tools.StatusError, "larger than allowed")
			if how == "streamed" {
				f.cancelled("t1")
			}
			f.srv.CloseClientConnections()
			f.srv.Close() // waits for the handler
			if got := sent.Load(); got > 32<<20 {
				t.Errorf("%d bytes were taken", got)
			}
		})
	}
}

func TestALongTextIsCut(t *testing.T) {
	f := newFake(t, cardOf(false, "x"), echo)
	m := up(t, f, func(o *Options) { o.MaxText = 100 })
	got := tell(t, m, "a2a_a_x", strings.Repeat("ä", 400))
	if expect(t, got, tools.StatusOK, cutMarker); len(got.Text) > 100 || strings.ContainsRune(got.Text, '\ufffd') {
		t.Errorf("%d bytes: %q", len(got.Text), got.Text)
	}
}

func TestArgumentsAreChecked(t *testing.T) {
	rest := strings.Replace(cardOf(false, "x"), "JSONRPC", "HTTP+JSON", 1)
	for name, arguments := range map[string]string{
		"not JSON": `{`, "null": `null`, "a list": `[]`, "no message": `{}`, "blank": `{"message":" "}`, "a number": `{"message":1}`, "empty": ``,
		"a path": `{"message":"m","task_id":"../../admin"}`, "dots": `{"message":"m","task_id":".."}`, "a query": `{"message":"m","task_id":"a?b"}`,
		"long": `{"message":"m","task_id":"` + strings.Repeat("x", maxID+1) + `"}`, "long context": `{"message":"m","context_id":"` + strings.Repeat("x", maxID+1) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, rest, echo)
			m := up(t, f, nil)
			expect(t, m.Catalogue().Call(t.Context(), "a2a_a_x", json.RawMessage(arguments)), tools.StatusBadArguments, "")
			if got := f.methods(); len(got) != 0 {
				t.Errorf("the agent was called: %v", got)
			}
		})
	}
}

func TestTheOldStateOfATaskIsNotTheAnswer(t *testing.T) {
	f := newFake(t, cardOf(true, "x"), func(w http.ResponseWriter, _ *http.Request, c rpcCall) {
		startStream(w)
		say(w, c, `{"task":`+taskJSON("t1", "INPUT_REQUIRED", "At what time?")+`}`)
		say(w, c, updateJSON("t1", "WORKING", ""))
		say(w, c, updateJSON("t1", "COMPLETED", "booked"))
	})
	got := up(t, f, nil).Catalogue().Call(t.Context(), "a2a_a_x", json.RawMessage(`{"message":"eight","task_id":"t1"}`))
	expect(t, got, tools.StatusOK, "booked")
}

// The model's ids arrive, and a task that goes on is waited for: its old state must not pass for the answer.
func TestIDsOfTheModelReachTheAgent(t *testing.T) {
	f := newFake(t, cardOf(false, "x"), states("fine", "COMPLETED"))
	m := up(t, f, nil)
	got := m.Catalogue().Call(t.Context(), "a2a_a_x", json.RawMessage(`{"message":"eight","task_id":"t1","context_id":"ctx"}`))
	expect(t, got, tools.StatusOK, "fine")
	sent := f.asked(0).Params
	if sent.Message.TaskID != "t1" || sent.Message.ContextID != "ctx" || sent.Configuration["returnImmediately"] != nil {
		t.Errorf("sent %+v", sent)
	}
}

func TestWithoutPollingTheOneAnswerIsWaitedFor(t *testing.T) {
	f := newFake(t, cardOf(false, "x"), states("", "WORKING"))
	m := up(t, f, func(o *Options) { o.Poll, o.ClientTimeout, o.PollTimeout = false, time.Second, time.Second })
	expect(t, tell(t, m, "a2a_a_x", "hi"), tools.StatusTimeout, "did not end in time")
	f.cancelled("t1")
	if f.asked(0).Params.Configuration["returnImmediately"] != nil {
		t.Error("the agent was told not to wait")
	}
}

func TestManyCallsAtOnceDoNotMix(t *testing.T) {
	f := newFake(t, cardOf(true, "x"), func(w http.ResponseWriter, _ *http.Request, c rpcCall) {
		startStream(w)
		id := "task-" + c.text()
		say(w, c, `{"task":`+taskJSON(id, "WORKING", "")+`}`)
		time.Sleep(5 * time.Millisecond)
		say(w, c, pieceJSON(id, "a", "for "+c.text(), false))
		say(w, c, updateJSON(id, "COMPLETED", ""))
	})
	m := up(t, f, nil)
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			if got := tell(t, m, "a2a_a_x", fmt.Sprint(i)); got.Text != fmt.Sprintf("for %d", i) {
				t.Errorf("call %d got %+v", i, got)
			}
		})
	}
	all.Wait()
}

func TestAContextThatIsOverCallsNobody(t *testing.T) {
	f := newFake(t, cardOf(false, "x"), echo)
	m := up(t, f, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	expect(t, m.Catalogue().Call(ctx, "a2a_a_x", json.RawMessage(`{"message":"hi"}`)), tools.StatusCancelled, "cancelled")
	if len(f.methods()) != 0 {
		t.Error("the agent was called")
	}
}
