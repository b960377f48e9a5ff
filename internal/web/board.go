package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/pki"
)

const (
	// refreshGap is how far apart two looks at the cluster are at least, and refreshEvery how far at
	// most: how far a move is, and what the leader waits for, changes without a newer State.
	refreshGap   = 300 * time.Millisecond
	refreshEvery = 3 * time.Second
	// keptChanges and keptBytes bound what a reader may have missed and still be told of. One that
	// missed more is given the whole picture.
	keptChanges = 256
	keptBytes   = 4 << 20
	// shownEvents is how much of the timeline a page has from the beginning.
	shownEvents = 400
)

// ownEyes is as whom the page itself looks: one who may see what every visitor may.
var ownEyes = pki.Peer{Kind: pki.KindVisitor, Name: "the page itself", Role: pki.RoleViewer,
	Fingerprint: "its own eyes"}

// look asks the tools' interface, as every viewer may.
func (f *Front) look(ctx context.Context, question string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, question, http.NoBody)
	if err != nil {
		return nil, err
	}
	paper := paper{header: http.Header{}, status: http.StatusOK}
	f.options.Answer(&paper, r, ownEyes, "the node itself")
	if paper.status != http.StatusOK {
		var failure api.Failure
		if json.Unmarshal(paper.text.Bytes(), &failure) != nil || failure.Message == "" {
			failure.Message = fmt.Sprintf("answer %d", paper.status)
		}
		return nil, failure
	}
	return paper.text.Bytes(), nil
}

// paper takes an answer that is for this process.
type paper struct {
	header http.Header
	status int
	text   bytes.Buffer
}

func (p *paper) Header() http.Header                  { return p.header }
func (p *paper) WriteHeader(status int)               { p.status = status }
func (p *paper) Write(text []byte) (n int, err error) { return p.text.Write(text) }

// board is the newest picture of the cluster and how it came about, made once for all who look, and
// not at all while nobody does.
type board struct {
	look    func(ctx context.Context, question string) ([]byte, error)
	changed func() <-chan struct{}
	// life tells the changes of this start of the daemon from those of another.
	life string
	wake chan struct{}

	mu      sync.Mutex
	readers int
	looks   uint64 // how often it was looked
	moved   chan struct{}
	picture picture
	problem string
	seq     uint64
	kept    []change
	bytes   int
}

// picture is a status as the interface told it, in parts, and the end of the timeline.
type picture struct {
	head   json.RawMessage
	at     json.RawMessage
	rows   map[string]json.RawMessage // "node/node1", "service/vm:web"
	order  []string
	events []json.RawMessage
	last   uint64 // the index of the newest event
}

// change is what differs between two pictures.
type change struct {
	seq  uint64
	text []byte
}

func newBoard(look func(context.Context, string) ([]byte, error), changed func() <-chan struct{}) *board {
	return &board{
		look: look, changed: changed, life: strconv.FormatInt(time.Now().UnixNano(), 36),
		wake: make(chan struct{}, 1), moved: make(chan struct{}),
	}
}

// enter counts a reader in, and has the board look anew. It returns how often it had looked before.
func (b *board) enter() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.readers++
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return b.looks
}

func (b *board) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.readers--
}

func (b *board) read() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.readers > 0
}

// run looks, while somebody reads, whenever the State changed and from time to time.
func (b *board) run(ctx context.Context) {
	for {
		if !b.read() {
			select {
			case <-b.wake:
			case <-ctx.Done():
				return
			}
		}
		changed := b.changed()
		b.refresh(ctx)
		gap, rest := time.NewTimer(refreshGap), time.NewTimer(refreshEvery)
		select {
		case <-gap.C:
		case <-ctx.Done():
		}
		select {
		case <-changed:
		case <-rest.C:
		case <-b.wake:
		case <-ctx.Done():
		}
		gap.Stop()
		rest.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// lookPatience bounds one look: the leader is asked for its notes on the way.
const lookPatience = 5 * time.Second

func (b *board) refresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	b.mu.Lock()
	last := b.picture.last
	b.mu.Unlock()
	seen, err := b.see(ctx, last)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.looks++
	problem := ""
	if err != nil {
		problem = err.Error()
	}
	if text := difference(b.picture, seen, problem, b.problem); text != nil {
		b.seq++
		b.kept, b.bytes = append(b.kept, change{b.seq, text}), b.bytes+len(text)
		for len(b.kept) > keptChanges || b.bytes > keptBytes && len(b.kept) > 1 {
			b.bytes -= len(b.kept[0].text)
			b.kept = b.kept[1:]
		}
	}
	b.problem = problem
	if err == nil {
		events := append(b.picture.events, seen.events...)
		seen.events = events[max(0, len(events)-shownEvents):]
		b.picture = seen
	}
	close(b.moved)
	b.moved = make(chan struct{})
}

// see asks for the status, and for the events behind an index.
func (b *board) see(ctx context.Context, last uint64) (picture, error) {
	text, err := b.look(ctx, api.PathStatus)
	if err != nil {
		return picture{}, err
	}
	seen, err := parse(text)
	if err != nil {
		return picture{}, err
	}
	text, err = b.look(ctx, fmt.Sprintf("%s?after=%d&limit=%d", api.PathEvents, last, shownEvents))
	if err != nil {
		return picture{}, err
	}
	var page struct {
		Events []json.RawMessage `json:"events"`
	}
	if err := json.Unmarshal(text, &page); err != nil {
		return picture{}, err
	}
	seen.events, seen.last = page.Events, last
	if n := len(page.Events); n > 0 {
		var newest struct {
			Index uint64 `json:"index"`
		}
		err = json.Unmarshal(page.Events[n-1], &newest)
		seen.last = newest.Index
	}
	return seen, err
}

// parse takes a status apart without learning what it means.
func parse(text []byte) (picture, error) {
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &fields); err != nil {
		return picture{}, err
	}
	p := picture{rows: map[string]json.RawMessage{}, at: fields["at"]}
	for kind, field := range map[string]string{"node": "nodes", "service": "services"} {
		var rows []json.RawMessage
		if text := fields[field]; text != nil {
			if err := json.Unmarshal(text, &rows); err != nil {
				return picture{}, err
			}
		}
		delete(fields, field)
		for _, row := range rows {
			var named struct {
				Name string `json:"name"`
			}
			if err := json.Unmarshal(row, &named); err != nil {
				return picture{}, err
			}
			p.rows[kind+"/"+named.Name] = row
			p.order = append(p.order, kind+"/"+named.Name)
		}
	}
	delete(fields, "at")
	delete(fields, "index") // it moves with every entry, and nothing on the page does
	var err error
	p.head, err = json.Marshal(fields)
	return p, err
}

// update is what a reader is told of a change; of the whole picture it is everything.
type update struct {
	At     json.RawMessage            `json:"at,omitempty"`
	Head   json.RawMessage            `json:"head,omitempty"`
	Rows   map[string]json.RawMessage `json:"rows,omitempty"`
	Gone   []string                   `json:"gone,omitempty"`
	Events []json.RawMessage          `json:"events,omitempty"`
	// Problem says why the node could not be asked; what is shown is old then.
	Problem *string `json:"problem,omitempty"`
}

// difference tells what changed; nil where nothing did.
func difference(before, now picture, problem, problemBefore string) []byte {
	var u update
	if problem != problemBefore {
		u.Problem = &problem
	}
	if problem == "" {
		u.Events, u.At = now.events, now.at
		if !bytes.Equal(before.head, now.head) {
			u.Head = now.head
		}
		u.Rows = map[string]json.RawMessage{}
		for name, row := range now.rows {
			if !bytes.Equal(before.rows[name], row) {
				u.Rows[name] = row
			}
		}
		for name := range before.rows {
			if now.rows[name] == nil {
				u.Gone = append(u.Gone, name)
			}
		}
	}
	if u.Head == nil && len(u.Rows) == 0 && len(u.Gone) == 0 && len(u.Events) == 0 && u.Problem == nil {
		return nil
	}
	text, err := json.Marshal(u)
	if err != nil {
		return nil // raw texts that were read as JSON can be written as JSON
	}
	return text
}

// errNoPicture is returned where the node could not be asked yet.
var errNoPicture = errors.New("there is no picture of the cluster yet")

// news are what a reader has to be told that knows the changes up to one: the changes since, or the
// whole picture where these are no longer kept. The next change closes the channel.
func (b *board) news(life string, known uint64) (texts [][]byte, whole bool, at uint64, next <-chan struct{},
	err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	next = b.moved
	if life == b.life && known <= b.seq && (known == b.seq || len(b.kept) > 0 && b.kept[0].seq <= known+1) {
		for _, c := range b.kept {
			if c.seq > known {
				texts = append(texts, c.text)
			}
		}
		return texts, false, b.seq, next, nil
	}
	if b.picture.rows == nil {
		return nil, false, b.seq, next, errNoPicture
	}
	all := update{At: b.picture.at, Head: b.picture.head, Rows: b.picture.rows, Events: b.picture.events}
	if b.problem != "" {
		all.Problem = &b.problem
	}
	text, err := json.Marshal(all)
	return [][]byte{text}, true, b.seq, next, err
}

// state is when the picture is from, and how often was looked.
func (b *board) state() (at json.RawMessage, looks uint64, problem string, next <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.picture.at, b.looks, b.problem, b.moved
}
