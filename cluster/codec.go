package cluster

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/fence"
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
	RowOf("init", LevelOne, one[Init]),
	RowOf("restore", LevelOne, one[Restore]),
	RowOf("recover", LevelOne, one[Recover]),
	RowOf("go-alone", LevelTwo, one[GoAlone]),
	RowOf("readmit", LevelTwo, one[Readmit]),
	RowOf("lose-log", LevelOne, one[LoseLog]),
	RowOf("raise-level", LevelOne, one[RaiseLevel]),
	RowOf("add-token", LevelOne, one[AddToken]),
	RowOf("join", LevelOne, one[Join]),
	RowOf("remove-node", LevelOne, one[RemoveNode]),
	RowOf("node-up", LevelOne, one[NodeUp]),
	RowOf("inventory", LevelOne, one[Inventory]),
	RowOf("leave", LevelOne, func(c Leave) string { return "leave/" + c.Node }),
	RowOf("node-left", LevelOne, func(c NodeGone) string { return "gone/" + c.Node }),
	RowOf("daemon-stopping", LevelOne, one[DaemonStopping]),
	RowOf("node-volume", LevelOne, one[NodeVolume]),
	RowOf("node-hypervisor", LevelOne, one[NodeHypervisor]),
	RowOf("set-address", LevelOne, one[SetAddress]),
	RowOf("contact", LevelOne, func(c Contact) string { return "contact/" + c.Node }),
	RowOf("begin-fence", LevelOne, func(c BeginFence) string { return "fence/" + c.Node }, BeginFence.level),
	RowOf("assign-fence", LevelOne, func(c AssignFence) string { return "fence/" + c.Node }),
	RowOf("fence-done", LevelOne, one[FenceDone], FenceDone.level),
	RowOf("confirm-fence", LevelOne, one[ConfirmFence]),
	RowOf("check-device", LevelOne, func(c CheckDevice) string { return "check/" + c.Device }),
	RowOf("check-from", LevelTwo, func(c CheckFrom) string { return "check/" + c.Device }),
	RowOf("disarm", LevelTwo, one[Disarm]),
	RowOf("arm", LevelTwo, one[Arm]),
	RowOf("power-on-done", LevelTwo, func(c PowerOnDone) string { return "power/" + c.Node }),
	RowOf("begin-drill", LevelTwo, one[BeginDrill]),
	RowOf("end-drill", LevelTwo, one[EndDrill]),
	RowOf("begin", LevelOne, func(c Begin) string { return "service/" + c.Service }, Begin.level),
	RowOf("done", LevelOne, one[Done]),
	RowOf("looked", LevelOne, one[Looked]),
	RowOf("observed", LevelOne, func(c Observed) string { return "observed/" + c.Service }),
	RowOf("probed", LevelOne, one[Probed]),
	RowOf("ask", LevelOne, one[Ask], Ask.level),
	RowOf("give-up", LevelOne, func(c GiveUp) string { return "service/" + c.Service }),
	RowOf("configure", LevelOne, one[Configure], Configure.level),
	RowOf("told", LevelTwo, one[Told]),
	RowOf("guarded", LevelTwo, one[Guarded]),
	RowOf("key-back", LevelTwo, one[KeyBack]),
	RowOf("thaw", LevelTwo, func(c Thaw) string { return "service/" + c.Service }),
	RowOf("lock", LevelTwo, one[LockCluster]),
	RowOf("unlock", LevelTwo, one[UnlockCluster]),
	RowOf("order-node", LevelTwo, one[OrderNode]),
	RowOf("node-empty", LevelTwo, func(c NodeEmpty) string { return "empty/" + c.Node }),
	RowOf("lost-keys", LevelTwo, one[LostKeys]),
	RowOf("add-client", LevelOne, one[AddClient]),
	RowOf("revoke-clients", LevelOne, one[RevokeClients]),
	RowOf("rekey", LevelOne, one[Rekey]),
	RowOf("end-move", LevelOne, func(c EndMove) string { return "service/" + c.Service }),
	RowOf("rotate-authority", LevelOne, one[RotateAuthority]),
	RowOf("abort-authority", LevelOne, one[AbortAuthority]),
	RowOf("node-authority", LevelOne, one[NodeAuthority]),
	RowOf("rotate-node-key", LevelTwo, one[RotateKey]),
	RowOf("abort-node-key", LevelTwo, one[AbortKey]),
	RowOf("tell-node-key", LevelTwo, one[TellKey]),
	RowOf("turn-node-key", LevelTwo, one[TurnKey]),
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
		return nil, fmt.Errorf("an entry of %d bytes is larger than the limit of %d", len(text), largestUnpacked)
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
		return n, fmt.Errorf("it unpacks to more than %d bytes", largestUnpacked)
	}
	return n, err
}

// Levels of rules. Whoever changes what Apply makes of a command raises
// CurrentLevel and keeps the old rule for States below it.
const (
	// LevelOne has VMs, failover domains and power fencing.
	LevelOne = 1
	// LevelTwo adds what this file's functions name: services made of resources,
	// rules between services, and fencing other than by power.
	LevelTwo = 2
	// CurrentLevel is the newest set of rules this binary knows. A State keeps the
	// level it was made with until a command raises it.
	CurrentLevel = LevelTwo
)

// Premature says why commands may not be proposed at a State's level; "" if
// they may. It is asked before a command enters the log, because a member with
// an older binary would stop at it, or apply it otherwise.
func (r *Release) Premature(s *State, commands []Command) string {
	if s.ID == "" {
		return "" // not founded yet: what founds it brings the level
	}
	for _, c := range commands {
		if raise, is := c.(RaiseLevel); is && raise.Level > r.level {
			return fmt.Sprintf("level %d is not known here, this clusterd knows level %d", raise.Level, r.level)
		}
		if why := r.PrematureFor(s, c); why != "" {
			return why
		}
	}
	return ""
}

// PrematureFor is the same question about one command. Apply asks it again: a level
// can also fall, by the restoring of an older backup.
func (r *Release) PrematureFor(s *State, c Command) string {
	if needed := r.LevelOf(c); s.ID != "" && needed > s.Level {
		return fmt.Sprintf("this needs rules of level %d, and the cluster follows level %d until every member runs a "+
			"version that knows them; upgrade the nodes that `clusterd node list` shows with an older version", needed, s.Level)
	}
	return ""
}

// Unknown says that a State follows rules that this binary does not know; "" if
// it knows them. Going on with such a State would make it differ from the others'.
func (r *Release) Unknown(s *State) string {
	if s.Level <= r.level {
		return ""
	}
	return fmt.Sprintf("the cluster follows rules of level %d, this clusterd knows level %d; install the version the "+
		"other nodes run", s.Level, r.level)
}

// level of a fence intent: older rules would hand an operator's word to a fencer,
// leave a machine off that was to be rebooted, and know no fence for a failed stop.
func (c BeginFence) level() int {
	if c.Word || c.Reboot || c.Service != "" {
		return LevelTwo
	}
	return LevelOne
}

// level of an act: older rules do not know what goes down ahead of a move, nor what
// is changed while it runs.
func (c Begin) level() int {
	if c.Purpose == ForAhead || c.Intent == IntentReconfigure {
		return LevelTwo
	}
	return LevelOne
}

// level of a document: what it uses, not what it could.
func (c Configure) level() int { return c.Document.level() }

// level is the first level whose rules know everything that the document says.
func (d Document) level() int {
	if d.Fencing != (Fencing{}) {
		return LevelTwo
	}
	for _, name := range words.SortedKeys(d.Services) {
		if spec := d.Services[name]; spec.Traits().Parts || spec.Rules.Any() {
			return LevelTwo
		}
	}
	if d.StartAtOnce != 0 || d.TwoNode != nil || len(d.Alerts) > 0 {
		return LevelTwo
	}
	for _, name := range words.SortedKeys(d.Devices) {
		if d.Devices[name].Limits != (fence.Limits{}) {
			return LevelTwo
		}
	}
	if d.fencesOtherwise() {
		return LevelTwo
	}
	return LevelOne
}
