package cluster

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
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
