package recorder

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/mind"
	clusterplan "github.com/clusterd/clusterd/cluster/plan"
)

// FormatVersion is written with every record. It is raised when an older reader
// would take a newer record for something else.
const FormatVersion = 1

// Limits of one record, as it lies on disk and unpacked. A reader holds to them
// as well, because a file may come from anywhere.
const (
	largestPacked   = 4 << 20
	largestUnpacked = 64 << 20
)

// Errors of records.
var (
	// ErrVersion is returned for a record that another version of clusterd wrote in
	// a way that this one does not know.
	ErrVersion = errors.New("the record has a format that this clusterd does not know")
	// ErrNoRecord is returned for a file that is no record, or is damaged.
	ErrNoRecord = errors.New("this is no complete record of a plan")
	// ErrTooLarge is returned for a record beyond the limits.
	ErrTooLarge = errors.New("the record is larger than a record may be")
)

// Record is one plan: what went in, and what came out.
type Record struct {
	// Clusterd is the version that planned, Node where it ran, At its clock.
	Clusterd string
	Node     string
	At       time.Time
	// Missed counts the plans since the daemon's start of which there is no record.
	Missed uint64
	// Planned is without secrets once it was written and read.
	Planned mind.Planned
	// Strange says which field this build does not know; empty when it knows all.
	// A decision may differ for that alone.
	Strange string
}

// file is a Record as it lies on disk.
type file struct {
	Record   int             `json:"record"`
	Clusterd string          `json:"clusterd"`
	Node     string          `json:"node"`
	At       time.Time       `json:"at"`
	Missed   uint64          `json:"missed,omitempty"`
	View     cluster.View    `json:"view"`
	Commands json.RawMessage `json:"commands"`
	Notes    []cluster.Note  `json:"notes,omitempty"`
	State    *cluster.State  `json:"state"`
}

// Encode writes a record as the bytes of its file, without secrets. ErrTooLarge
// is returned when it would be larger than a reader accepts.
func Encode(r Record) ([]byte, error) {
	commands, err := cluster.Encode(r.Planned.Decision.Commands)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(file{
		Record: FormatVersion, Clusterd: r.Clusterd, Node: r.Node, At: r.At, Missed: r.Missed, View: r.Planned.View,
		Commands: commands, Notes: r.Planned.Decision.Notes, State: shortened(WithoutSecrets(r.Planned.State)),
	})
	if err != nil {
		return nil, fmt.Errorf("write the record of a plan: %w", err)
	}
	var packed bytes.Buffer
	// The fastest level: the host has VMs to run, and the size is bounded anyway.
	writer, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := writer.Write(text); err != nil {
		return nil, err
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	if len(text) > largestUnpacked || packed.Len() > largestPacked {
		return nil, fmt.Errorf("%w: %d bytes, %d packed", ErrTooLarge, len(text), packed.Len())
	}
	return packed.Bytes(), nil
}

// Decode reads what Encode wrote. ErrVersion, ErrNoRecord or ErrTooLarge is
// returned (wrapped) when it cannot.
func Decode(packed []byte) (Record, error) {
	text, err := unpack(packed)
	if err != nil {
		return Record{}, err
	}
	var head struct {
		Record int `json:"record"`
	}
	if err := json.Unmarshal(text, &head); err != nil || head.Record == 0 {
		return Record{}, fmt.Errorf("%w: it does not begin as one", ErrNoRecord)
	}
	if head.Record != FormatVersion {
		return Record{}, fmt.Errorf("%w: format %d, this clusterd knows %d; replay it with the version that wrote it",
			ErrVersion, head.Record, FormatVersion)
	}
	var f file
	if err := json.Unmarshal(text, &f); err != nil || f.State == nil {
		return Record{}, fmt.Errorf("%w: %v", ErrNoRecord, err)
	}
	if f.State.Level > cluster.CurrentLevel {
		return Record{}, fmt.Errorf(
			"%w: its cluster was at cluster version %d, this clusterd knows version %d; replay it with the "+
				"clusterd that wrote it", ErrVersion, f.State.Level, cluster.CurrentLevel)
	}
	commands, err := cluster.Decode(f.Commands)
	if errors.Is(err, cluster.ErrUnknownCommand) {
		return Record{}, fmt.Errorf("%w: %v", ErrVersion, err)
	} else if err != nil {
		return Record{}, fmt.Errorf("%w: %v", ErrNoRecord, err)
	}
	return Record{
		Clusterd: f.Clusterd, Node: f.Node, At: f.At, Missed: f.Missed, Strange: strange(text),
		Planned: mind.Planned{State: f.State, View: f.View, Decision: clusterplan.Decision{Commands: commands,
			Notes: f.Notes}},
	}, nil
}

func unpack(packed []byte) ([]byte, error) {
	if len(packed) > largestPacked {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, largestPacked)
	}
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrNoRecord, err)
	}
	text, err := io.ReadAll(io.LimitReader(reader, largestUnpacked+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrNoRecord, err)
	}
	if len(text) > largestUnpacked {
		return nil, fmt.Errorf("%w: more than %d bytes unpacked", ErrTooLarge, largestUnpacked)
	}
	return text, nil
}

// strange finds a field that this build would ignore. A record of a newer build
// can still be worth a look, so it is told and not refused.
func strange(text []byte) string {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var f file
	if err := decoder.Decode(&f); err != nil {
		return err.Error()
	}
	return ""
}
