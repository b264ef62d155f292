package contract

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestTheRequestsBytesSurvive(t *testing.T) {
	w := theWorld(t)
	for name, body := range map[string]string{
		"numbers, escapes, order, spaces": "{ \"z\":1.0e5,\t\"a\" : -0.0,\"big\":123456789012345678901234567890,\r\n \"e\":1E+2, \"model\" :  \"own/good\"  ,\n" +
			`"unknown":{"b":[1.10, 2.00,null,true],"a":{}} , "u":"\u00e9\u0041\ud83d\ude00\/ é😀<>&" }` + "\n ",
		"model last":             `{"messages":[{"role":"user","content":"model"}],"m":{"model":"own/other"},"model":"own/good"}`,
		"the prefix elsewhere":   `{"user":"own/good","model":"own/good","own/good":"own/good"}`,
		"empty names and values": `{"":"","model":"own/good","tools":[],"tool_choice":null,"context_window":0}`,
	} {
		t.Run(name, func(t *testing.T) {
			w.own.Reset()
			if r := w.Chat(t, body); r.Status != http.StatusOK {
				t.Fatalf("%d %s", r.Status, r)
			}
			// Only the model's value may change.
			at := strings.LastIndex(body, `"own/good"`)
			if name != "model last" && name != "numbers, escapes, order, spaces" {
				at = strings.Index(body, `"model":"own/good"`) + len(`"model":`)
			}
			want := body[:at] + `"good"` + body[at+len(`"own/good"`):]
			if got := w.own.Only(t); string(got.Body) != want {
				t.Errorf("got  %q\nwant %q", got.Body, want)
			}
			w.own.Reset()
			if r := w.Do(t, http.MethodPost, "/v1/chat/completions?provider=own", body); r.Status != http.StatusOK {
				t.Fatalf("%d %s", r.Status, r)
			}
			if got := w.own.Only(t); string(got.Body) != body {
				t.Errorf("with ?provider=: got  %q\nwant %q", got.Body, body)
			}
		})
	}
}

func TestABodyArrivesWholeHoweverItIsSent(t *testing.T) {
	w := theWorld(t)
	text := strings.Repeat("x", maxBody-1000)
	body := `{"model":"own/good","text":"` + text + `"}`
	want := `{"model":"good","text":"` + text + `"}`
	t.Run("chunked", func(t *testing.T) {
		w.own.Reset()
		req, err := http.NewRequest(http.MethodPost, w.URL+"/v1/chat/completions", io.MultiReader(strings.NewReader(body[:10]), strings.NewReader(body[10:])))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := w.Client(t).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		got := w.own.Only(t)
		if resp.StatusCode != http.StatusOK || string(got.Body) != want {
			t.Errorf("%d, %d bytes arrived of %d", resp.StatusCode, len(got.Body), len(want))
		}
	})
	t.Run("byte by byte", func(t *testing.T) {
		w.own.Reset()
		c := w.Dial(t)
		c.Send("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
		for _, b := range chat("own/good") {
			c.Send("1\r\n" + string(b) + "\r\n")
		}
		c.Send("0\r\nX-Trailer: kept\r\n\r\n")
		if r := c.Receive("POST"); r == nil || r.Status != http.StatusOK {
			t.Fatalf("%v", r)
		}
		if got := w.own.Only(t); string(got.Body) != chat("good") {
			t.Errorf("got %s", got.Body)
		}
	})
	t.Run("with Expect: 100-continue", func(t *testing.T) {
		w.own.Reset()
		c := w.Dial(t)
		c.Send("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: " + itoa(len(chat("own/good"))) + "\r\n\r\n")
		line, err := c.Reader().ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "HTTP/1.1 100") {
			t.Fatalf("%q %v", line, err)
		}
		_, _ = c.Reader().ReadString('\n')
		c.Send(chat("own/good"))
		if r := c.Receive("POST"); r == nil || r.Status != http.StatusOK {
			t.Fatalf("%v", r)
		}
		if got := w.own.Only(t); string(got.Body) != chat("good") {
			t.Errorf("got %s", got.Body)
		}
	})
}

func TestTheResponseIsTheProviders(t *testing.T) {
	w := theWorld(t)
	var zipped bytes.Buffer
	gz := gzip.NewWriter(&zipped)
	_, _ = io.WriteString(gz, `{"compressed": 1.0e5}`)
	_ = gz.Close()
	for _, tt := range []struct {
		name    string
		status  int
		headers string // lines
		body    string
	}{
		{
			"an answer with odd bytes", 200, "Content-Type: application/json; charset=UTF-8\nX-Odd:  a, b;c=\"d\"\nX_Under: 1\nOpenai-Version: 2020-10-01\nOpenai-Processing-Ms: 12",
			"{ \"z\":1.0e5,\"u\":\"\\u00e9\", \"model\":\"good\" ,\n\"usage\":{}}\n",
		},
		{"not JSON", 200, "Content-Type: text/plain", "plain \x00\xff bytes"},
		{"compressed", 200, "Content-Type: application/json\nContent-Encoding: gzip\nVary: Accept-Encoding", zipped.String()},
		{"created", 201, "Content-Type: application/json\nLocation: /v1/x", "{}"},
		{"a redirect", 307, "Location: http://elsewhere.example/v1", ""},
		{"an error of its own", 400, "Content-Type: application/json", `{"error":{"message":"mine","type":"x","extra":1}}`},
		{"a refused key", 401, "Content-Type: application/json\nWww-Authenticate: Bearer", `{"error":{"message":"bad key"}}`},
		{"not found", 404, "Content-Type: text/html", `<h1>no</h1>`},
		{"payment", 402, "Content-Type: application/json", `{}`},
		{"too large there", 413, "Content-Type: application/json", `{"theirs":413}`},
		{"a timeout there", 408, "Content-Type: application/json", `{"theirs":408}`},
		{"a limit", 429, "Content-Type: application/json\nRetry-After: 60\nX-Ratelimit-Limit-Requests: 60\nX-Ratelimit-Remaining-Tokens: 0\nX-Ratelimit-Reset-Requests: 7s", `{"error":{"message":"slow down"}}`},
		{"an inner error", 500, "Content-Type: application/json", `{"theirs":500}`},
		{"a bad gateway", 502, "Content-Type: text/html", `<h1>502</h1>`},
		{"unavailable", 503, "Content-Type: application/json\nRetry-After: 120", `{"theirs":503}`},
		{"a gateway timeout", 504, "Content-Type: application/json", `{"theirs":504}`},
		{"overloaded", 529, "Content-Type: application/json\nRetry-After: 9", `{"type":"error","error":{"type":"overloaded_error"}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.own.answers(t, func(rw http.ResponseWriter, _ *http.Request) {
				for line := range strings.SplitSeq(tt.headers, "\n") {
					name, value, _ := strings.Cut(line, ": ")
					rw.Header()[name] = []string{value}
				}
				rw.WriteHeader(tt.status)
				_, _ = io.WriteString(rw, tt.body)
			})
			for _, path := range []string{"/v1/chat/completions", "/proxy/own/chat/completions"} {
				r := w.Do(t, http.MethodPost, path, chat("own/good"))
				if r.Status != tt.status || r.String() != tt.body {
					t.Errorf("%s: %d %q, want %d %q", path, r.Status, r, tt.status, tt.body)
				}
				for line := range strings.SplitSeq(tt.headers, "\n") {
					name, value, _ := strings.Cut(line, ": ")
					if got := r.Header.Values(name); !slices.Equal(got, []string{strings.TrimSpace(value)}) {
						t.Errorf("%s: %s: %q, want %q", path, name, got, value)
					}
				}
				if r.Header.Get("X-Request-Id") == "" {
					t.Errorf("%s: no x-request-id", path)
				}
				if r.Header.Get("Connection") != "" {
					t.Errorf("%s: connection %q", path, r.Header.Get("Connection"))
				}
				for name := range r.Header {
					if low := strings.ToLower(name); strings.HasPrefix(low, "x-igw-") || strings.HasPrefix(low, "x-envoy-") {
						t.Errorf("%s: the client sees %s", path, name)
					}
				}
			}
		})
	}
}
