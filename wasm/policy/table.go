package policy

// Cells is memory that is shared by all who spend the same budgets, such as the shared data of proxy-wasm. Cells are
// numbered from 0, and hold no bytes at first.
type Cells interface {
	// Load gives a cell's bytes, and a version for Store.
	Load(cell int) (data []byte, version uint32)
	// Store writes a cell, unless it was written since the Load that gave the version: then it gives false. It does not
	// keep data.
	Store(cell int, data []byte, version uint32) bool
}

// Table is Budgets in a fixed number of Cells, however many keys clients think of. A counter whose window is over gives
// its cell away, and so does one whose window ends before that of a key which has none: who can fill the table with keys of
// a minute could else have the counts of a day forgotten each minute. Where all end later, a key shares a cell with another:
// its budget is used up earlier then.
type Table struct {
	Cells Cells
	Size  int          // number of cells
	Clock func() int64 // seconds since the Unix epoch
}

const (
	probes   = 8  // cells that a key may be in
	attempts = 16 // to write a cell that others write too
)

// Now asks the clock.
func (t *Table) Now() int64 { return t.Clock() }

// Add is that of Budgets.
func (t *Table) Add(key string, per, ends, n int64) int64 {
	h, now := hash(key), t.Clock()
	var sum int64
	for range attempts {
		at, c, version := t.find(h, now, ends)
		switch shared := c.hash != h && c.ends > now; {
		case shared: // and counts for both
		case c.hash != h || c.ends < ends,
			c.ends > ends+per: // left by a clock that was ahead; else the next window, which another worker has begun
			c = cell{hash: h, ends: ends}
		}
		c.sum = max(0, c.sum+n)
		sum = c.sum
		if data := c.bytes(); t.Cells.Store(at, data[:], version) {
			return sum
		}
	}
	return sum // every attempt met another writer: this one is not counted
}

// find gives the key's cell, else one that is free, else the one that will be free first: anew when that is before the
// key's own window ends, and else to be shared.
func (t *Table) find(h uint64, now, ends int64) (at int, c cell, version uint32) {
	at = -1
	for i := range uint64(probes) {
		place := int((h + i) % uint64(t.Size))
		data, v := t.Cells.Load(place)
		here := readCell(data)
		if here.hash == h && here.ends > 0 {
			return place, here, v
		}
		if at < 0 || here.ends < c.ends && c.ends > now {
			at, c, version = place, here, v
		}
	}
	if c.ends < ends {
		c = cell{}
	}
	return at, c, version
}

// cell is one counter.
type cell struct {
	hash uint64 // of the key
	ends int64  // of the window
	sum  int64
}

const cellSize = 24

func (c cell) bytes() (out [cellSize]byte) {
	for i := range 8 {
		out[i] = byte(c.hash >> (8 * i))
		out[8+i] = byte(c.ends >> (8 * i))
		out[16+i] = byte(c.sum >> (8 * i))
	}
	return out
}

func readCell(data []byte) (c cell) {
	if len(data) != cellSize {
		return cell{}
	}
	for i := range 8 {
		c.hash |= uint64(data[i]) << (8 * i)
		c.ends |= int64(data[8+i]) << (8 * i)
		c.sum |= int64(data[16+i]) << (8 * i)
	}
	return c
}
