// Package sse reads and writes server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) as
// bytes: a parser that takes a stream in whatever pieces it comes, and appenders. It is a leaf: it must not know what
// an event holds, nor where a stream comes from or goes to.
package sse

import (
	"bytes"
	"errors"
)

// DefaultMax bounds one event. Whole answers fit; a stream that never ends its line does not.
const DefaultMax = 8 << 20

// ErrTooLarge says that one event is larger than the parser's bound.
var ErrTooLarge = errors.New("sse: an event is too large")

// Event is one event or one comment of a stream. Its bytes belong to the parser and hold until the next event.
type Event struct {
	Name      string // of the event: line, mostly empty
	Data      []byte // the data: lines, joined by line feeds
	IsComment bool   // then Data is the comment's text
}

// Parser cuts a stream into events. The zero Parser is ready for a stream. It is not for concurrent use.
type Parser struct {
	Max int // bytes of one event, DefaultMax when 0

	line    []byte // the line that has begun
	data    []byte
	name    string
	hasData bool
	started bool // the byte order mark, if any, is behind
	afterCR bool // a line feed that comes now belongs to the line that has ended
}

// Feed takes the next bytes, cut anywhere, and gives each event that they complete. An error of emit ends it at once.
func (p *Parser) Feed(b []byte, emit func(Event) error) error {
	lf := -1 // the next line feed, once it has been looked for: each byte is looked at once, whatever ends its line
	for at := 0; at < len(b); {
		if p.afterCR {
			p.afterCR = false
			if b[at] == '\n' {
				at++
				continue
			}
		}
		if lf < at {
			if lf = bytes.IndexByte(b[at:], '\n') + at; lf < at {
				lf = len(b)
			}
		}
		end := lf
		if cr := bytes.IndexByte(b[at:lf], '\r'); cr >= 0 {
			end = at + cr
		}
		piece := b[at:end]
		at = end + 1
		if len(p.line)+len(p.data)+len(piece) > p.most() {
			return ErrTooLarge
		}
		if end == len(b) {
			p.line = append(p.line, piece...)
			return nil
		}
		p.afterCR = b[end] == '\r'
		if len(p.line) > 0 { // it has begun in earlier bytes
			p.line = append(p.line, piece...)
			piece = p.line
			p.line = p.line[:0]
		}
		if err := p.endLine(piece, emit); err != nil {
			return err
		}
	}
	return nil
}

// End gives the event that the stream ended in. The standard drops it; providers that forget the last empty line mean it.
func (p *Parser) End(emit func(Event) error) error {
	if line := p.line; len(line) > 0 {
		p.line = nil
		if err := p.endLine(line, emit); err != nil {
			return err
		}
	}
	return p.endLine(nil, emit)
}

func (p *Parser) most() int {
	if p.Max <= 0 {
		return DefaultMax
	}
	return p.Max
}

func (p *Parser) endLine(line []byte, emit func(Event) error) error {
	if !p.started {
		p.started = true
		line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
	}
	if len(line) == 0 {
		return p.endEvent(emit)
	}
	field, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(field) {
	case "":
		return emit(Event{Data: value, IsComment: true})
	case "event":
		p.name = string(value)
	case "data":
		if p.hasData {
			p.data = append(p.data, '\n')
		}
		p.hasData = true
		p.data = append(p.data, value...)
	}
	return nil
}

func (p *Parser) endEvent(emit func(Event) error) error {
	event, has := Event{Name: p.name, Data: p.data}, p.hasData
	p.name, p.data, p.hasData = "", p.data[:0], false
	if !has {
		return nil
	}
	return emit(event)
}
