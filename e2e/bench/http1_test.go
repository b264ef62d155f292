package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

type parsed struct {
	start  string
	status int
	body   string
}

// drive pushes data through a parser in pieces whose sizes next gives and returns every whole message.
func drive(p *parser, body *strings.Builder, data string, next func() int) (got []parsed, err error) {
	for len(data) > 0 {
		piece := data[:min(next(), len(data))]
		data = data[len(piece):]
		for len(piece) > 0 {
			used, done, err := p.feed([]byte(piece))
			if err != nil {
				return got, err
			}
			piece = piece[used:]
			if done {
				got = append(got, parsed{string(p.start), p.status, body.String()})
				body.Reset()
				p.reset()
			}
		}
	}
	return got, nil
}

var cuts = map[string]func() int{
	"whole":        func() int { return 1 << 20 },
	"byte by byte": func() int { return 1 },
	"random":       func() int { return 1 + rand.IntN(24) },
}

func TestParserReadsMessagesInAnyCut(t *testing.T) {
	cases := []struct {
		name    string
		request bool
		data    string
		want    []parsed
	}{
		{
			name: "length, then chunks, then an empty body on one connection",
			data: "HTTP/1.1 200 OK\r\ncontent-type: a\r\nContent-Length: 5\r\n\r\nhello" +
				"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0A;x=y\r\n0123456789\r\n0\r\nt: v\r\n\r\n" +
				"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n",
			want: []parsed{{status: 200, body: "hello"}, {status: 200, body: "abc0123456789"}, {status: 500}},
		},
		{
			name: "a CRLF inside a chunk is data",
			data: "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\na\r\n0\r\n\r\n0\r\n\r\n",
			want: []parsed{{status: 200, body: "a\r\n0\r\n"}},
		},
		{
			name: "100 Continue and 204",
			data: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx",
			want: []parsed{{status: 204}, {status: 200, body: "x"}},
		},
		{
			name:    "requests",
			request: true,
			data: "GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n" +
				"POST /v1/chat/completions HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" +
				"POST /x HTTP/1.1\r\ncontent-length: 4\r\n\r\nbody",
			want: []parsed{
				{start: "GET /v1/models HTTP/1.1"},
				{start: "POST /v1/chat/completions HTTP/1.1", body: "{}"},
				{start: "POST /x HTTP/1.1", body: "body"},
			},
		},
	}
	for _, c := range cases {
		for how, next := range cuts {
			t.Run(c.name+"/"+how, func(t *testing.T) {
				for range 50 {
					var body strings.Builder
					p := newResponseParser(func(b []byte) { body.Write(b) })
					p.request = c.request
					got, err := drive(p, &body, c.data, next)
					if err != nil {
						t.Fatal(err)
					}
					if fmt.Sprint(got) != fmt.Sprint(c.want) {
						t.Fatalf("got %+v\nwant %+v", got, c.want)
					}
					if p.eof() != io.EOF {
						t.Fatalf("between messages, eof is %v", p.eof())
					}
				}
			})
		}
	}
}

func TestParserRefusesBrokenFraming(t *testing.T) {
	for _, data := range []string{
		"HTTP/1.0 200 OK\r\n\r\n",
		"HTTP/1.1 2x0 OK\r\n\r\n",
		"HTTP/1.1 200 OK\n\r\n",
		"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
		"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
		"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
		"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
		"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabc\r\n",
		"HTTP/1.1 200 OK\r\nx: " + strings.Repeat("a", maxLine+100),
	} {
		for how, next := range cuts {
			var body strings.Builder
			p := newResponseParser(func(b []byte) { body.Write(b) })
			if _, err := drive(p, &body, data, next); err == nil {
				t.Errorf("%s: accepted %.80q", how, data)
			}
		}
	}
}

func TestParserSeesTruncation(t *testing.T) {
	for _, whole := range []string{
		"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	} {
		for cut := 1; cut < len(whole); cut++ {
			var body strings.Builder
			p := newResponseParser(func(b []byte) { body.Write(b) })
			got, err := drive(p, &body, whole[:cut], cuts["whole"])
			if err != nil || len(got) != 0 || p.eof() != io.ErrUnexpectedEOF {
				t.Fatalf("cut at %d: messages %+v, error %v, eof %v", cut, got, err, p.eof())
			}
		}
	}
}

func TestParserBodyUntilClose(t *testing.T) {
	var body strings.Builder
	p := newResponseParser(func(b []byte) { body.Write(b) })
	if _, err := drive(p, &body, "HTTP/1.1 200 OK\r\n\r\nrest", cuts["byte by byte"]); err != nil {
		t.Fatal(err)
	}
	if p.eof() != nil || body.String() != "rest" || !p.close {
		t.Fatalf("eof %v, body %q, close %v", p.eof(), body.String(), p.close)
	}
}
