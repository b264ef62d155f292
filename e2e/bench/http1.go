package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// maxLine bounds one start line, header or chunk-size line.
const maxLine = 64 << 10

type parseState int

const (
	atStart parseState = iota
	atHeader
	atBody // content-length
	atChunkSize
	atChunkData
	atChunkEnd
	atTrailer
	atClose // neither length nor chunks: the body ends with the connection
)

// parser reads HTTP/1.1 messages that are pushed into it in whatever cuts the socket gives. net/http would cost more than
// what is measured; and a reader that is strict about framing is the point: a truncated chunk must be seen as an error.
// One parser serves both sides: responses in the load generator, requests (request: true) in the mock.
type parser struct {
	request bool
	body    func([]byte) // called with each piece of the decoded body

	state   parseState
	partial []byte // a line of which only the beginning has arrived
	start   []byte // the request line
	status  int
	length  int64 // content-length, -1 when there was none
	left    int64 // of the body or of the chunk
	chunked bool
	close   bool // the peer said connection: close
}

func newResponseParser(body func([]byte)) *parser {
	p := &parser{body: body}
	p.reset()
	return p
}

func newRequestParser(body func([]byte)) *parser {
	p := &parser{request: true, body: body}
	p.reset()
	return p
}

// reset makes the parser ready for the next message of a connection.
func (p *parser) reset() {
	p.state, p.partial, p.start = atStart, p.partial[:0], p.start[:0]
	p.status, p.length, p.left, p.chunked, p.close = 0, -1, 0, false, false
}

// feed consumes data up to the end of the message and says how much it used. done means the message is whole; what was not
// used belongs to the next one.
func (p *parser) feed(data []byte) (used int, done bool, err error) {
	for used < len(data) {
		switch p.state {
		case atBody, atChunkData:
			n := min(p.left, int64(len(data)-used))
			p.body(data[used : used+int(n)])
			used += int(n)
			p.left -= n
			if p.left > 0 {
				continue
			}
			if p.state == atBody {
				return used, true, nil
			}
			p.state = atChunkEnd
		case atClose:
			p.body(data[used:])
			used = len(data)
		default:
			line, n, whole, err := p.takeLine(data[used:])
			used += n
			if err != nil || !whole {
				return used, false, err
			}
			done, err := p.onLine(line)
			p.partial = p.partial[:0]
			if done || err != nil {
				return used, done, err
			}
		}
	}
	return used, false, nil
}

// eof says what the end of the connection means here: nil when it ended the body, io.EOF between messages.
func (p *parser) eof() error {
	switch {
	case p.state == atClose:
		return nil
	case p.state == atStart && len(p.partial) == 0:
		return io.EOF
	}
	return io.ErrUnexpectedEOF
}

// takeLine returns the next line without its CRLF; only a line that arrives in pieces is copied.
func (p *parser) takeLine(data []byte) (line []byte, used int, whole bool, err error) {
	i := bytes.IndexByte(data, '\n')
	if i < 0 {
		if len(p.partial)+len(data) > maxLine {
			return nil, 0, false, errors.New("line too long")
		}
		p.partial = append(p.partial, data...)
		return nil, len(data), false, nil
	}
	line = data[:i+1]
	if len(p.partial) > 0 {
		p.partial = append(p.partial, line...)
		line = p.partial
	}
	if len(line) < 2 || line[len(line)-2] != '\r' {
		return nil, i + 1, false, fmt.Errorf("line %.40q does not end in CRLF", line)
	}
	return line[:len(line)-2], i + 1, true, nil
}

func (p *parser) onLine(line []byte) (done bool, err error) {
	switch p.state {
	case atStart:
		p.state = atHeader
		return false, p.onStart(line)
	case atHeader:
		if len(line) > 0 {
			return false, p.onHeader(line)
		}
		return p.onHeadersEnd()
	case atChunkSize:
		size, _, _ := bytes.Cut(line, []byte(";"))
		n, err := strconv.ParseUint(string(bytes.TrimSpace(size)), 16, 62)
		if err != nil {
			return false, fmt.Errorf("chunk size %.40q", line)
		}
		p.left, p.state = int64(n), atChunkData
		if n == 0 {
			p.state = atTrailer
		}
	case atChunkEnd:
		if len(line) > 0 {
			return false, fmt.Errorf("chunk is longer than its size: %.40q", line)
		}
		p.state = atChunkSize
	case atTrailer:
		return len(line) == 0, nil
	}
	return false, nil
}

func (p *parser) onStart(line []byte) error {
	if p.request {
		if !bytes.HasSuffix(line, []byte(" HTTP/1.1")) {
			return fmt.Errorf("request line %.80q", line)
		}
		p.start = append(p.start[:0], line...)
		return nil
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return fmt.Errorf("status line %.80q", line)
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil || status < 100 {
		return fmt.Errorf("status line %.80q", line)
	}
	p.status = status
	return nil
}

func (p *parser) onHeader(line []byte) error {
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok {
		return fmt.Errorf("header line %.80q", line)
	}
	switch len(name) { // most headers are told apart by their length alone
	case len("connection"):
		if bytes.EqualFold(name, []byte("connection")) {
			p.close = bytes.EqualFold(bytes.TrimSpace(value), []byte("close"))
		}
	case len("content-length"):
		if !bytes.EqualFold(name, []byte("content-length")) {
			return nil
		}
		n, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 10, 62)
		if err != nil || (p.length >= 0 && p.length != int64(n)) {
			return fmt.Errorf("content-length %.40q", value)
		}
		p.length = int64(n)
	case len("transfer-encoding"):
		if !bytes.EqualFold(name, []byte("transfer-encoding")) {
			return nil
		}
		if !bytes.EqualFold(bytes.TrimSpace(value), []byte("chunked")) {
			return fmt.Errorf("transfer-encoding %.40q", value)
		}
		p.chunked = true
	}
	return nil
}

func (p *parser) onHeadersEnd() (done bool, err error) {
	switch {
	case p.chunked && p.length >= 0:
		return false, errors.New("both content-length and transfer-encoding")
	case !p.request && p.status < 200: // 100 Continue and the like: the answer is still to come
		p.reset()
		return false, nil
	case p.status == 204 || p.status == 304:
		return true, nil
	case p.chunked:
		p.state = atChunkSize
	case p.length > 0:
		p.left, p.state = p.length, atBody
	case p.length == 0 || p.request:
		return true, nil
	default:
		p.close, p.state = true, atClose
	}
	return false, nil
}
