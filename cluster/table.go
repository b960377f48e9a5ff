package cluster

import (
	"encoding/json"
	"sort"
)

// Table is a map of immutable records with a cheap copy: Fork shares the
// records, and the first change after it copies the map. So a reader or a
// snapshot gets a root at once while Apply goes on. Not safe for concurrent
// use; each fork belongs to one goroutine at a time, or to many readers.
type Table[V any] struct {
	rows   map[string]V
	shared bool
}

// Get returns the record and whether it is there.
func (t *Table[V]) Get(key string) (V, bool) {
	v, found := t.rows[key]
	return v, found
}

// Has tells whether the key is there.
func (t *Table[V]) Has(key string) bool {
	_, found := t.rows[key]
	return found
}

// Len counts the records.
func (t *Table[V]) Len() int { return len(t.rows) }

// Keys returns the keys in order: maps are never walked in their own.
func (t *Table[V]) Keys() []string {
	keys := make([]string, 0, len(t.rows))
	for key := range t.rows {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

// Set replaces a record whole.
func (t *Table[V]) Set(key string, value V) {
	t.own()
	t.rows[key] = value
}

// Delete removes a record.
func (t *Table[V]) Delete(key string) {
	t.own()
	delete(t.rows, key)
}

func (t *Table[V]) own() {
	if t.rows != nil && !t.shared {
		return
	}
	fresh := make(map[string]V, len(t.rows)+1)
	for key, value := range t.rows {
		fresh[key] = value
	}
	t.rows, t.shared = fresh, false
}

// Fork returns a copy that shares its records until either side changes.
func (t *Table[V]) Fork() Table[V] {
	t.shared = true
	return Table[V]{rows: t.rows, shared: true}
}

// MarshalJSON writes the records by sorted key, so equal tables give equal bytes.
func (t Table[V]) MarshalJSON() ([]byte, error) {
	if t.rows == nil {
		return []byte("{}"), nil
	}
	return json.Marshal(t.rows)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (t *Table[V]) UnmarshalJSON(data []byte) error {
	t.rows, t.shared = nil, false
	return json.Unmarshal(data, &t.rows)
}
