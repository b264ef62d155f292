package contract

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestAStreamPassesPieceByPiece(t *testing.T) {
	w := theWorld(t)
	for _, path := range []string{"/v1/chat/completions", "/proxy/own/chat/completions"} {
		t.Run(path, func(t *testing.T) {
			seen := make(chan struct{})
			w.own.answers(t, func(rw http.ResponseWriter, r *http.Request) {
				rw.Header().Set("Content-Type", "text/event-stream")
				for i := range 5 {
					fmt.Fprintf(rw, "data: {\"n\":%d}\n\n", i)
					_ = http.NewResponseController(rw).Flush()
					select { // the next piece is written when the client has this one
					case <-seen:
					case <-r.Context().Done():
						return
					case <-time.After(10 * time.Second):
						return
					}
				}
				_, _ = io.WriteString(rw, "data: [DONE]\n\n")
			})
			req, err := http.NewRequest(http.MethodPost, w.URL+path, strings.NewReader(`{"model":"own/good","stream":true}`))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := w.Client(t).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
				t.Errorf("content-type %q", got)
			}
			for i := range 5 {
				want := fmt.Sprintf("data: {\"n\":%d}\n\n", i)
				got := make([]byte, len(want))
				if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != want {
					t.Fatalf("piece %d: %q %v", i, got, err)
				}
				seen <- struct{}{}
			}
			if rest, err := io.ReadAll(resp.Body); err != nil || string(rest) != "data: [DONE]\n\n" {
				t.Errorf("the end: %q %v", rest, err)
			}
		})
	}
}

func TestAStreamMayPauseLongerThanTheWaitForTheFirstByte(t *testing.T) {
	w := theWorld(t)
	t.Parallel()
	const pause = 4 * time.Second // CLIENT_RESPONSE_HEADER_TIMEOUT is 3 s, CLIENT_STREAM_IDLE_TIMEOUT 5 min
	w.hdr.answers(t, func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(rw, "first,")
		_ = http.NewResponseController(rw).Flush()
		select {
		case <-time.After(pause):
			_, _ = io.WriteString(rw, "last")
		case <-r.Context().Done():
		}
	})
	if r := w.Chat(t, chat("hdr/x")); r.Status != http.StatusOK || r.String() != "first,last" {
		t.Errorf("%d %s", r.Status, r)
	}
}

func TestABrokenStreamDoesNotLookWhole(t *testing.T) {
	w := theWorld(t)
	body := `{"model":"sick/fault-reset-midstream","stream":true,` + hello + `}`
	r, err := w.Try(t, w.Client(t), http.MethodPost, "/v1/chat/completions", body)
	if r == nil {
		t.Fatalf("no answer: %v", err)
	}
	if err == nil && !strings.Contains(r.String(), `data: {"error":`) {
		t.Errorf("the client cannot tell that the stream broke: %q", r)
	}
	if strings.Contains(r.String(), "[DONE]") {
		t.Errorf("[DONE] after a break: %q", r)
	}
}

func TestAClientThatGoesAwayEndsTheProvidersWork(t *testing.T) {
	w := theWorld(t)
	ended := make(chan struct{})
	w.own.answers(t, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(rw, "data: 1\n\n")
		_ = http.NewResponseController(rw).Flush()
		<-r.Context().Done()
		close(ended)
	})
	c := w.Dial(t)
	body := chat("own/good")
	c.Send("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: " + itoa(len(body)) + "\r\n\r\n" + body)
	for {
		line, err := c.Reader().ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(line, "data: 1") {
			break
		}
	}
	c.Close()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the provider was not told")
	}
}
