package cluster

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/clusterd/clusterd/internal/message"
)

// commandVersion is written with every command, so that a later shape of the
// same kind can be told from this one.
const commandVersion = 1

type envelope struct {
	Version int             `json:"v"`
	Kind    string          `json:"kind"`
	Body    json.RawMessage `json:"body"`
}

// Row is all that is known of one kind of command besides what it does, which cluster/apply
// keeps.
type Row struct {
	kind  string
	of    reflect.Type
	read  func(json.RawMessage) (Command, error)
	level func(Command) int
	key   func(Command) string
}

// RowOf makes the row of the commands of one type: their word in the log, the level from which
// they may be in it, and their key. The key of two commands is the same where one is not to be
// proposed while the other is on its way; an empty one is the kind. A kind that older members
// read, but of which they would make something else where it says something new, names the level
// of that as well.
func RowOf[C Command](kind string, level int, key func(C) string, newer ...func(C) int) Row {
	return Row{
		kind: kind, of: reflect.TypeFor[C](), read: decode[C],
		level: func(c Command) int {
			needed := level
			for _, of := range newer {
				needed = max(needed, of(c.(C)))
			}
			return needed
		},
		key: func(c Command) string { return cmp.Or(key(c.(C)), kind) },
	}
}

// one is the key of a kind of which one command is on its way at a time.
func one[C Command](C) string { return "" }

// commands are all that may be in the log.
var commands = []Row{
	RowOf("init", 1, one[Init]),
	RowOf("restore", 1, one[Restore]),
	RowOf("recover", 1, one[Recover]),
	RowOf("go-alone", 1, one[GoAlone]),
	RowOf("readmit", 1, one[Readmit]),
	RowOf("lose-log", 1, one[LoseLog]),
	RowOf("raise-level", 1, one[RaiseLevel]),
	RowOf("add-token", 1, one[AddToken]),
	RowOf("join", 1, one[Join]),
	RowOf("remove-node", 1, one[RemoveNode]),
	RowOf("node-up", 1, one[NodeUp]),
	RowOf("inventory", 1, one[Inventory]),
	RowOf("leave", 1, func(c Leave) string { return "leave/" + c.Node }),
	RowOf("node-left", 1, func(c NodeGone) string { return "gone/" + c.Node }),
	RowOf("daemon-stopping", 1, one[DaemonStopping]),
	RowOf("node-volume", 1, one[NodeVolume]),
	RowOf("node-hypervisor", 1, one[NodeHypervisor]),
	RowOf("node-capacity", 1, one[NodeCapacity]),
	RowOf("set-address", 1, one[SetAddress]),
	RowOf("contact", 1, func(c Contact) string { return "contact/" + c.Node }),
	RowOf("lead", 1, one[Lead]),
	RowOf("begin-fence", 1, func(c BeginFence) string { return "fence/" + c.Node }),
	RowOf("assign-fence", 1, func(c AssignFence) string { return "fence/" + c.Node }),
	RowOf("fence-done", 1, one[FenceDone]),
	RowOf("confirm-fence", 1, one[ConfirmFence]),
	RowOf("check-from", 1, func(c CheckFrom) string { return "check/" + c.Device }),
	RowOf("disarm", 1, one[Disarm]),
	RowOf("arm", 1, one[Arm]),
	RowOf("power-on-done", 1, func(c PowerOnDone) string { return "power/" + c.Node }),
	RowOf("begin-drill", 1, one[BeginDrill]),
	RowOf("end-drill", 1, one[EndDrill]),
	RowOf("begin", 1, func(c Begin) string { return "service/" + c.Service }),
	RowOf("done", 1, one[Done]),
	RowOf("looked", 1, one[Looked]),
	RowOf("observed", 1, func(c Observed) string { return "observed/" + c.Service }),
	RowOf("probed", 1, one[Probed]),
	RowOf("ask", 1, one[Ask]),
	RowOf("give-up", 1, func(c GiveUp) string { return "service/" + c.Service }),
	RowOf("configure", 1, one[Configure]),
	RowOf("told", 1, one[Told]),
	RowOf("guarded", 1, one[Guarded]),
	RowOf("key-back", 1, one[KeyBack]),
	RowOf("thaw", 1, func(c Thaw) string { return "service/" + c.Service }),
	RowOf("lock", 1, one[LockCluster]),
	RowOf("unlock", 1, one[UnlockCluster]),
	RowOf("order-node", 1, one[OrderNode]),
	RowOf("node-empty", 1, func(c NodeEmpty) string { return "empty/" + c.Node }),
	RowOf("lost-keys", 1, one[LostKeys]),
	RowOf("add-client", 1, one[AddClient]),
	RowOf("revoke-clients", 1, one[RevokeClients]),
	RowOf("rekey", 1, one[Rekey]),
	RowOf("end-move", 1, func(c EndMove) string { return "service/" + c.Service }),
	RowOf("rotate-authority", 1, one[RotateAuthority]),
	RowOf("abort-authority", 1, one[AbortAuthority]),
	RowOf("node-authority", 1, one[NodeAuthority]),
	RowOf("rotate-node-key", 1, one[RotateKey]),
	RowOf("abort-node-key", 1, one[AbortKey]),
	RowOf("tell-node-key", 1, one[TellKey]),
	RowOf("turn-node-key", 1, one[TurnKey]),
}

// Release is what one version of clusterd knows: its commands, and its newest level of rules. It
// never changes once it is made. Tests make one that comes after this.
type Release struct {
	level  int
	rows   []Row
	byKind map[string]Row
	byType map[reflect.Type]Row
}

// Current is this version.
var Current = newRelease(CurrentLevel, commands)

// With returns a release that comes after this one: it knows that level, and these commands
// beside or instead of its own. Tests prove by one what no clusterd has needed yet.
func (r *Release) With(level int, rows ...Row) *Release {
	return newRelease(level, slices.Concat(r.rows, rows))
}

func newRelease(level int, rows []Row) *Release {
	r := &Release{level: level, rows: rows, byKind: map[string]Row{}, byType: map[reflect.Type]Row{}}
	for _, row := range rows {
		r.byKind[row.kind], r.byType[row.of] = row, row
	}
	return r
}

// Level is the newest level of rules that the release knows.
func (r *Release) Level() int { return r.level }

// Kinds are the words of all commands that the release knows, sorted.
func (r *Release) Kinds() []string { return slices.Sorted(maps.Keys(r.byKind)) }

// KindOf is the word of a command in the log; "" for one that the release does not know.
func (r *Release) KindOf(c Command) string { return r.byType[reflect.TypeOf(c)].kind }

// KeyOf tells proposals apart, so that one is not made again while it is on its way.
func (r *Release) KeyOf(c Command) string {
	row, known := r.byType[reflect.TypeOf(c)]
	if !known {
		return ""
	}
	return row.key(c)
}

// LevelOf is the level that a State must have before a command is proposed. A command that the
// release does not know is of one that is yet to come.
func (r *Release) LevelOf(c Command) int {
	row, known := r.byType[reflect.TypeOf(c)]
	if !known {
		return r.level + 1
	}
	return row.level(c)
}

func decode[C Command](body json.RawMessage) (Command, error) {
	var command C
	err := json.Unmarshal(body, &command)
	return command, err
}

// Encode writes commands as the data of one log entry.
func (r *Release) Encode(commands []Command) ([]byte, error) {
	envelopes := make([]envelope, 0, len(commands))
	for _, command := range commands {
		kind := r.KindOf(command)
		if kind == "" {
			return nil, fmt.Errorf("encoding a command: %w (%T)", ErrUnknownCommand, command)
		}
		body, err := plainJSON(command)
		if err != nil {
			return nil, fmt.Errorf("encoding command %s: %w", kind, err)
		}
		envelopes = append(envelopes, envelope{Version: commandVersion, Kind: kind, Body: body})
	}
	text, err := plainJSON(envelopes)
	if err != nil {
		return nil, err
	}
	return packed(text)
}

// Decode reads what Encode wrote. ErrUnknownCommand is returned for a kind or
// a version that this binary does not know.
func (r *Release) Decode(data []byte) ([]Command, error) {
	data, err := unpacked(data)
	if err != nil {
		return nil, fmt.Errorf("reading a log entry: %w", err)
	}
	var envelopes []envelope
	if err := json.Unmarshal(data, &envelopes); err != nil {
		return nil, fmt.Errorf("reading a log entry: %w", err)
	}
	commands := make([]Command, 0, len(envelopes))
	for _, e := range envelopes {
		row, known := r.byKind[e.Kind]
		if !known || e.Version != commandVersion {
			return nil, fmt.Errorf("%w (%q, version %d)", ErrUnknownCommand, e.Kind, e.Version)
		}
		command, err := row.read(e.Body)
		if err != nil {
			return nil, fmt.Errorf("reading command %s: %w", e.Kind, err)
		}
		commands = append(commands, command)
	}
	return commands, nil
}

const (
	// packFrom is the size from which an entry is packed. Documents are that large, and
	// nothing that hurries is.
	packFrom = 32 << 10
	// largestUnpacked bounds what an entry may become when it is unpacked: a few bytes could
	// otherwise fill every member's memory.
	largestUnpacked = 128 << 20
)

// packMark is how a packed entry begins; one that is not packed begins with a bracket.
var packMark = []byte{0x1f, 0x8b}

// plainJSON writes JSON without the escapes that are for web pages: of each sign < in a
// definition they make six bytes.
func plainJSON(value any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(text.Bytes(), []byte{'\n'}), nil
}

// packed makes a large entry small: a document holds each definition as the person wrote it
// and under its hash, and definitions are much alike.
func packed(text []byte) ([]byte, error) {
	if len(text) < packFrom {
		return text, nil
	}
	if len(text) > largestUnpacked {
		return nil, errors.New(message.LogEntryTooLarge.With(len(text), largestUnpacked).String())
	}
	var small bytes.Buffer
	writer, err := gzip.NewWriterLevel(&small, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := writer.Write(text); err != nil {
		return nil, err
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return small.Bytes(), nil
}

// unpacked is the text of an entry, packed or not.
func unpacked(data []byte) ([]byte, error) {
	if !bytes.HasPrefix(data, packMark) {
		return data, nil
	}
	reader, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if _, err := text.ReadFrom(&bounded{reader: reader, left: largestUnpacked}); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}

// bounded ends with an error where there is more than may be.
type bounded struct {
	reader *gzip.Reader
	left   int
}

// Read implements what a buffer reads from.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.reader.Read(p)
	if b.left -= n; b.left < 0 {
		return n, errors.New(message.LogEntryUnpacks.With(largestUnpacked).String())
	}
	return n, err
}

// CurrentLevel is the newest level of rules that this release knows; people read it as the
// cluster version. A State keeps the level it was made with until a command raises it. Whoever
// changes what Apply makes of a command raises this, gives what is new a row or a level of its
// own in the table, and keeps the old rule for States below it.
const CurrentLevel = 1

// Premature says why commands may not be proposed at a State's level; nothing if
// they may. It is asked before a command enters the log, because a member with
// an older binary would stop at it, or apply it otherwise.
func (r *Release) Premature(s *State, commands []Command) message.Text {
	if s.ID == "" {
		return message.Text{} // not founded yet: what founds it brings the level
	}
	for _, c := range commands {
		if raise, is := c.(RaiseLevel); is && raise.Level > r.level {
			return message.VersionUnknown.With(raise.Level, r.level)
		}
		if why := r.PrematureFor(s, c); !why.IsZero() {
			return why
		}
	}
	return message.Text{}
}

// PrematureFor is the same question about one command. Apply asks it again: a level
// can also fall, by the restoring of an older backup.
func (r *Release) PrematureFor(s *State, c Command) message.Text {
	if needed := r.LevelOf(c); s.ID != "" && needed > s.Level {
		return message.VersionNeeded.With(needed, s.Level)
	}
	return message.Text{}
}

// Unknown says that a State follows rules that this binary does not know; nothing if
// it knows them. Going on with such a State would make it differ from the others'.
func (r *Release) Unknown(s *State) message.Text {
	if s.Level <= r.level {
		return message.Text{}
	}
	return message.VersionTooNew.With(s.Level, r.level)
}
