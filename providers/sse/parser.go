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
	for len(b) > 0 {
		if p.afterCR {
			p.afterCR = false
			if b[0] == '\n' {
				b = b[1:]
				continue
			}
		}
		end := bytes.IndexAny(b, "\r\n")
		if end < 0 {
			return p.keep(b)
		}
		if err := p.keep(b[:end]); err != nil {
			return err
		}
		p.afterCR = b[end] == '\r'
		b = b[end+1:]
		if err := p.endLine(emit); err != nil {
			return err
		}
	}
	return nil
}

// End gives the event that the stream ended in. The standard drops it; providers that forget the last empty line mean it.
func (p *Parser) End(emit func(Event) error) error {
	if len(p.line) > 0 {
		if err := p.endLine(emit); err != nil {
			return err
		}
	}
	return p.endLine(emit)
}

// keep adds to the line that has begun.
func (p *Parser) keep(b []byte) error {
	most := p.Max
	if most <= 0 {
		most = DefaultMax
	}
	if len(p.line)+len(p.data)+len(b) > most {
		return ErrTooLarge
	}
	p.line = append(p.line, b...)
	return nil
}

func (p *Parser) endLine(emit func(Event) error) error {
	line := p.line
	p.line = p.line[:0]
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
