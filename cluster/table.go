package cluster

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/resources"
)

// SharedDisks returns a disk that two services may both be writing now.
func SharedDisks(a, b *Service) string {
	for _, left := range a.Holders {
		for _, right := range b.Holders {
			// Holders that were never started there hold by suspicion only; two
			// suspicions may overlap, two starts may not. What a person attaches by hand is
			// shouted about elsewhere.
			if left.Ask || right.Ask {
				continue
			}
			if disks := resources.Conflicts(left.StartedWith(), right.StartedWith()); len(disks) > 0 {
				return disks[0]
			}
		}
	}
	return ""
}

// Digest names the State by what it holds: at one index it is the same on every node that runs the
// same version. The timeline is left out, because its events are what made the rest.
func (s *State) Digest() (string, error) {
	short := s.Fork()
	short.Timeline = nil
	text, err := json.Marshal(short)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// Records are a sorted list of immutable records as it is read: nothing here changes
// it. Keys and records lie in two lists of their own, because the keys change seldom
// and are walked often.
type Records[V any] struct {
	// keys is never changed in place, so that a walk over it may delete.
	keys []string
	rows []*V
}

// Table is Records that can be written, with a cheap copy: Fork shares the
// records, and the first change after it copies the list of pointers to them, never
// the records. So a reader or a snapshot gets a root at once while Apply goes on. Not
// safe for concurrent use; each fork belongs to one goroutine at a time, or to many
// readers.
type Table[V any] struct {
	Records[V]
	shared bool
}

// find returns where the key is, or belongs. Tables are often short, where
// looking at one after the other is the quickest.
func (r *Records[V]) find(key string) (int, bool) {
	if len(r.keys) <= 8 {
		for i, k := range r.keys {
			if k >= key {
				return i, k == key
			}
		}
		return len(r.keys), false
	}
	return slices.BinarySearch(r.keys, key)
}

// Get returns the record and whether it is there.
func (r *Records[V]) Get(key string) (V, bool) {
	if i, found := r.find(key); found {
		return *r.rows[i], true
	}
	var none V
	return none, false
}

// Has reports whether the key is there.
func (r *Records[V]) Has(key string) bool {
	_, found := r.find(key)
	return found
}

// Len counts the records.
func (r *Records[V]) Len() int { return len(r.keys) }

// Keys returns the keys in order. The list must not be changed; it does not
// change itself when records come and go.
func (r *Records[V]) Keys() []string { return r.keys[:len(r.keys):len(r.keys)] }

// Rows returns the records in the order of their keys, for a walk that copies
// none of them. Nothing in it may be changed.
func (r *Records[V]) Rows() []*V { return r.rows[:len(r.rows):len(r.rows)] }

// Set replaces a record whole.
func (t *Table[V]) Set(key string, value V) {
	i, found := t.find(key)
	if found {
		if t.shared {
			t.rows, t.shared = slices.Clone(t.rows), false
		}
		t.rows[i] = &value
		return
	}
	t.keys = slices.Insert(t.keys[:len(t.keys):len(t.keys)], i, key)
	t.rows = slices.Insert(t.rows[:len(t.rows):len(t.rows)], i, &value)
	t.shared = false
}

// Delete removes a record.
func (t *Table[V]) Delete(key string) {
	i, found := t.find(key)
	if !found {
		return
	}
	t.keys = slices.Concat(t.keys[:i], t.keys[i+1:])
	t.rows = slices.Concat(t.rows[:i], t.rows[i+1:])
	t.shared = false
}

// Fork returns a copy that shares its records until either side changes. A fork
// of a fork writes nothing, so that every reader of a root may make one.
func (t *Table[V]) Fork() Table[V] {
	if !t.shared {
		t.shared = true
	}
	return *t
}

// MarshalJSON writes the records by sorted key, so equal tables give equal bytes.
func (t Table[V]) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, key := range t.keys {
		if i > 0 {
			out.WriteByte(',')
		}
		name, err := json.Marshal(key)
		if err != nil {
			return nil, err
		}
		record, err := json.Marshal(t.rows[i])
		if err != nil {
			return nil, err
		}
		out.Write(name)
		out.WriteByte(':')
		out.Write(record)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (t *Table[V]) UnmarshalJSON(data []byte) error {
	*t = Table[V]{}
	var rows map[string]*V
	if err := json.Unmarshal(data, &rows); err != nil {
		return err
	}
	for _, key := range words.SortedKeys(rows) {
		if rows[key] == nil {
			continue
		}
		t.keys, t.rows = append(t.keys, key), append(t.rows, rows[key])
	}
	return nil
}
