package cluster

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
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

// decoders make an empty command of each kind, by the word in the log.
var decoders = map[string]func(json.RawMessage) (Command, error){
	Init{}.Kind():           decode[Init],
	Restore{}.Kind():        decode[Restore],
	Recover{}.Kind():        decode[Recover],
	GoAlone{}.Kind():        decode[GoAlone],
	Readmit{}.Kind():        decode[Readmit],
	LoseLog{}.Kind():        decode[LoseLog],
	RaiseLevel{}.Kind():     decode[RaiseLevel],
	AddToken{}.Kind():       decode[AddToken],
	Join{}.Kind():           decode[Join],
	RemoveNode{}.Kind():     decode[RemoveNode],
	NodeUp{}.Kind():         decode[NodeUp],
	Inventory{}.Kind():      decode[Inventory],
	Leave{}.Kind():          decode[Leave],
	NodeGone{}.Kind():       decode[NodeGone],
	DaemonStopping{}.Kind(): decode[DaemonStopping],
	NodeVolume{}.Kind():     decode[NodeVolume],
	NodeHypervisor{}.Kind(): decode[NodeHypervisor],
	SetAddress{}.Kind():     decode[SetAddress],
	Contact{}.Kind():        decode[Contact],
	BeginFence{}.Kind():     decode[BeginFence],
	AssignFence{}.Kind():    decode[AssignFence],
	FenceDone{}.Kind():      decode[FenceDone],
	ConfirmFence{}.Kind():   decode[ConfirmFence],
	CheckDevice{}.Kind():    decode[CheckDevice],
	CheckFrom{}.Kind():      decode[CheckFrom],
	Disarm{}.Kind():         decode[Disarm],
	Arm{}.Kind():            decode[Arm],
	PowerOnDone{}.Kind():    decode[PowerOnDone],
	BeginDrill{}.Kind():     decode[BeginDrill],
	EndDrill{}.Kind():       decode[EndDrill],
	Begin{}.Kind():          decode[Begin],
	Done{}.Kind():           decode[Done],
	Looked{}.Kind():         decode[Looked],
	Observed{}.Kind():       decode[Observed],
	Probed{}.Kind():         decode[Probed],
	Ask{}.Kind():            decode[Ask],
	GiveUp{}.Kind():         decode[GiveUp],
	Configure{}.Kind():      decode[Configure],
	Told{}.Kind():           decode[Told],
	Guarded{}.Kind():        decode[Guarded],
	KeyBack{}.Kind():        decode[KeyBack],

	Thaw{}.Kind():          decode[Thaw],
	LockCluster{}.Kind():   decode[LockCluster],
	UnlockCluster{}.Kind(): decode[UnlockCluster],
	OrderNode{}.Kind():     decode[OrderNode],
	NodeEmpty{}.Kind():     decode[NodeEmpty],
	LostKeys{}.Kind():      decode[LostKeys],
	AddClient{}.Kind():     decode[AddClient],
	RevokeClients{}.Kind(): decode[RevokeClients],
	Rekey{}.Kind():         decode[Rekey],
	EndMove{}.Kind():       decode[EndMove],

	RotateAuthority{}.Kind(): decode[RotateAuthority],
	AbortAuthority{}.Kind():  decode[AbortAuthority],
	NodeAuthority{}.Kind():   decode[NodeAuthority],

	RotateKey{}.Kind(): decode[RotateKey],
	AbortKey{}.Kind():  decode[AbortKey],
	TellKey{}.Kind():   decode[TellKey],
	TurnKey{}.Kind():   decode[TurnKey],
}

// Kinds are the words of all commands that this binary knows, sorted.
func Kinds() []string { return slices.Sorted(maps.Keys(decoders)) }

func decode[C Command](body json.RawMessage) (Command, error) {
	var command C
	err := json.Unmarshal(body, &command)
	return command, err
}

// Encode writes commands as the data of one log entry.
func Encode(commands []Command) ([]byte, error) {
	envelopes := make([]envelope, 0, len(commands))
	for _, command := range commands {
		body, err := plainJSON(command)
		if err != nil {
			return nil, fmt.Errorf("encoding command %s: %w", command.Kind(), err)
		}
		envelopes = append(envelopes, envelope{Version: commandVersion, Kind: command.Kind(), Body: body})
	}
	text, err := plainJSON(envelopes)
	if err != nil {
		return nil, err
	}
	return packed(text)
}

// Decode reads what Encode wrote. ErrUnknownCommand is returned for a kind or
// a version that this binary does not know.
func Decode(data []byte) ([]Command, error) {
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
		decoder, known := decoders[e.Kind]
		if !known || e.Version != commandVersion {
			return nil, fmt.Errorf("%w (%q, version %d)", ErrUnknownCommand, e.Kind, e.Version)
		}
		command, err := decoder(e.Body)
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

// leveled is a command that older binaries do not know, or of which they would
// make something else. It must not be in their log.
type leveled interface {
	// level is the first one at which the command may be proposed and applied.
	level() int
}

// LevelOf is the level that a State must have before a command is proposed.
func LevelOf(c Command) int {
	if l, special := c.(leveled); special {
		return l.level()
	}
	return LevelOne
}

// Premature says why commands may not be proposed at a State's level; "" if
// they may. It is asked before a command enters the log, because a member with
// an older binary would stop at it, or apply it otherwise.
func Premature(s *State, commands []Command) string {
	if s.ID == "" {
		return "" // not founded yet: what founds it brings the level
	}
	for _, c := range commands {
		if raise, is := c.(RaiseLevel); is && raise.Level > CurrentLevel {
			return fmt.Sprintf("level %d is not known here, this clusterd knows level %d", raise.Level, CurrentLevel)
		}
		if why := PrematureFor(s, c); why != "" {
			return why
		}
	}
	return ""
}

// PrematureFor is the same question about one command. Apply asks it again: a level
// can also fall, by the restoring of an older backup.
func PrematureFor(s *State, c Command) string {
	if needed := LevelOf(c); s.ID != "" && needed > s.Level {
		return fmt.Sprintf("this needs rules of level %d, and the cluster follows level %d until every member runs a "+
			"version that knows them; upgrade the nodes that `clusterd node list` shows with an older version", needed, s.Level)
	}
	return ""
}

// Unknown says that a State follows rules that this binary does not know; "" if
// it knows them. Going on with such a State would make it differ from the others'.
func Unknown(s *State) string {
	if s.Level <= CurrentLevel {
		return ""
	}
	return fmt.Sprintf("the cluster follows rules of level %d, this clusterd knows level %d; install the version the "+
		"other nodes run", s.Level, CurrentLevel)
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
