package jsonedit

import "slices"

// Edit changes one top-level member. Raw is the new value as one valid JSON value, copied as it is: a member that exists
// gets it in place of its value, one that does not is added at the end. An empty Raw removes the member. When several
// edits name the same member, the last one holds.
type Edit struct {
	Name string // unescaped
	Raw  []byte
}

// Replace appends to dst the body with the value of name replaced; without such a member, the body as it is.
// Here and below, dst must not overlap the body, and dst may be nil.
func (d Doc) Replace(dst []byte, name string, newRaw []byte) []byte {
	v, ok := d.Member(name)
	if !ok {
		return append(dst, d.body...)
	}
	dst = slices.Grow(dst, len(d.body)-(v.End-v.Start)+len(newRaw))
	dst = append(dst, d.body[:v.Start]...)
	dst = append(dst, newRaw...)
	return append(dst, d.body[v.End:]...)
}

// SetString appends to dst the body with name set to the string s, added at the end when there is no such member.
func (d Doc) SetString(dst []byte, name, s string) []byte {
	v, ok := d.Member(name)
	if !ok {
		return d.Insert(dst, name, AppendQuote(nil, s))
	}
	dst = slices.Grow(dst, len(d.body)-(v.End-v.Start)+len(s)+len(`""`))
	dst = append(dst, d.body[:v.Start]...)
	dst = AppendQuote(dst, s)
	return append(dst, d.body[v.End:]...)
}

// Insert appends to dst the body with name added at the end; a member of that name has its value replaced instead,
// because a second one would be a duplicate.
func (d Doc) Insert(dst []byte, name string, raw []byte) []byte {
	return d.Apply(dst, Edit{Name: name, Raw: raw})
}

// Apply appends to dst the body with all edits made, in one pass.
func (d Doc) Apply(dst []byte, edits ...Edit) []byte {
	size := len(d.body)
	for _, e := range edits {
		size += len(e.Name) + len(e.Raw) + len(`,"":`)
	}
	dst = slices.Grow(dst, size)
	d.splice(edits, func(piece []byte) { dst = append(dst, piece...) })
	return dst
}

// Pieces is Apply without copying: the edited body as views of the body and of the edits' values.
func (d Doc) Pieces(edits ...Edit) [][]byte {
	out := make([][]byte, 0, 3*len(edits)+2)
	d.splice(edits, func(piece []byte) {
		if len(piece) > 0 {
			out = append(out, piece)
		}
	})
	return out
}

// splice gives the edited body piece by piece.
func (d Doc) splice(edits []Edit, emit func([]byte)) {
	kept := d.lastKept(edits)
	pos := 0 // body[:pos] is done with
	for i, m := range d.members {
		e := d.editOf(m, edits)
		switch {
		case e == nil:
		case len(e.Raw) > 0:
			emit(d.body[pos:m.start])
			emit(e.Raw)
			pos = int(m.end)
		case i < kept: // goes with the comma and the space up to the next name
			emit(d.body[pos:m.nameStart])
			pos = int(d.members[i+1].nameStart)
		}
	}

	// What follows the last kept member: members that all go, and with them the comma before the first of these.
	tail, end := d.open, d.open
	if n := len(d.members); n > 0 {
		tail, end = int(d.members[0].nameStart), int(d.members[n-1].end)
	}
	if kept >= 0 {
		tail = int(d.members[kept].end)
	}
	if pos < tail {
		emit(d.body[pos:tail])
	}
	d.emitNew(edits, kept >= 0, emit)
	emit(d.body[end:])
}

// lastKept is the index of the last member that no edit removes, or -1.
func (d Doc) lastKept(edits []Edit) int {
	for i := len(d.members) - 1; i >= 0; i-- {
		if e := d.editOf(d.members[i], edits); e == nil || len(e.Raw) > 0 {
			return i
		}
	}
	return -1
}

// editOf gives the edit that holds for m, or nil.
func (d Doc) editOf(m member, edits []Edit) *Edit {
	for i := len(edits) - 1; i >= 0; i-- {
		if d.named(m, edits[i].Name) {
			return &edits[i]
		}
	}
	return nil
}

// emitNew gives the members that the body lacks, in the order of the edits.
func (d Doc) emitNew(edits []Edit, comma bool, emit func([]byte)) {
	for i, e := range edits {
		again := slices.ContainsFunc(edits[i+1:], func(later Edit) bool { return later.Name == e.Name })
		if _, exists := d.Member(e.Name); exists || again || len(e.Raw) == 0 {
			continue
		}
		name := make([]byte, 0, len(e.Name)+len(`,"":`))
		if comma {
			name = append(name, ',')
		}
		comma = true
		emit(append(AppendQuote(name, e.Name), ':'))
		emit(e.Raw)
	}
}
