package quorum

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// MaxEntryBytes is the largest entry Propose accepts. It bounds what a follower must hold in
// memory for one append.
const MaxEntryBytes = 8 << 20

var (
	// ErrNoLeader is returned when no leader was found before the wait ended. The entry is not in
	// the log.
	ErrNoLeader = errors.New("no leader is known")
	// ErrNotLeader is returned by acts that only the leader can do. Nothing was changed.
	ErrNotLeader = errors.New("this node is not the leader")
	// ErrOutcomeUnknown is returned when the entry may or may not be in the log. Repeat it with the
	// same request id.
	ErrOutcomeUnknown = errors.New(
		"outcome unknown: the entry may or may not be in the log; repeat it with the same request id")
	// ErrNotYetApplied is returned when the entry is in the log for good, but this node did not
	// reach it in time.
	ErrNotYetApplied = errors.New("the entry is committed but not yet applied on this node")
	// ErrBusy is returned when as many proposals as allowed are under way. The entry is not in the
	// log.
	ErrBusy = errors.New("too many proposals are under way")
	// ErrLogVolume is returned when the leader's log volume is full or cannot be written. The entry
	// is not in the log.
	ErrLogVolume = errors.New("the leader's log volume is full or not writable")
	// ErrUnfit is returned when the leader finds that an entry could not be applied. It is not in
	// the log.
	ErrUnfit = errors.New("the leader does not take what no member could apply")
	// ErrTooLarge is returned when an entry is larger than MaxEntryBytes. The entry is not in the log.
	ErrTooLarge = errors.New("the entry is too large")
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("the log is closed")
	// ErrUnreadable is returned by Open when neither the log nor a snapshot in the folder can be
	// begun with.
	ErrUnreadable = errors.New("what lies in the folder of the log cannot be begun with")
)

// Entry is one committed entry.
type Entry struct {
	Index uint64
	Term  uint64
	// At is the leader's clock when it appended the entry, the same on all nodes. It tells the
	// story and orders nothing.
	At   time.Time
	Data []byte
}

// Machine is what the log drives. All three are called from one goroutine, in log order.
type Machine interface {
	// Apply takes one committed entry. Its result goes to the Propose call on this node that made
	// the entry, if any.
	Apply(entry Entry) any
	// Snapshot returns at once. The function it returns runs beside later Applies and must not see
	// them.
	Snapshot() (write func(io.Writer) error)
	// Restore replaces the whole state by what a snapshot's function wrote.
	Restore(io.Reader) error
}

// Profile is a set of timings that belong together.
type Profile struct {
	Name string
	// Heartbeat is how long a follower waits for the leader before it calls an election, at least;
	// twice as long at most.
	Heartbeat time.Duration
	// Election is how long a candidate waits for votes before it tries again.
	Election time.Duration
	// Lease is how long a leader that reaches no majority still believes it leads.
	Lease time.Duration
	// Beat is the interval of Pulse.
	Beat time.Duration
	// Suspect is the silence after which a node should be tested; a few beats may be lost within it.
	Suspect time.Duration
	// WriteLimit is how long one write to the log may take before Options.Fatal is called.
	WriteLimit time.Duration
}

var profiles = []Profile{
	{"fast", 200 * time.Millisecond, 200 * time.Millisecond, 100 * time.Millisecond,
		80 * time.Millisecond, 400 * time.Millisecond, 5 * time.Second},
	{"normal", 500 * time.Millisecond, 500 * time.Millisecond, 250 * time.Millisecond,
		160 * time.Millisecond, 960 * time.Millisecond, 10 * time.Second},
	{"relaxed", time.Second, time.Second, 500 * time.Millisecond,
		320 * time.Millisecond, 1920 * time.Millisecond, 20 * time.Second},
}

// ParseProfile returns the profile of that name: "fast", "normal" (also "") or "relaxed".
func ParseProfile(word string) (Profile, error) {
	if word == "" {
		word = "normal"
	}
	for _, profile := range profiles {
		if profile.Name == word {
			return profile, nil
		}
	}
	return Profile{}, fmt.Errorf("timing profile %q is not known: use fast, normal or relaxed", word)
}

// Member is one node as the log's configuration has it.
type Member struct {
	ID      string
	Address string
	Voter   bool
}

// Options say who this node is and what its log stands on. ID, Address and Wire are required.
type Options struct {
	ID string
	// Address is where the other nodes reach this node's Wire. It is written into the log's
	// configuration.
	Address string
	// DataDir keeps log, votes and snapshots. Empty means everything is in memory and lost at
	// Close: for tests.
	DataDir string
	Wire    *Wire
	Profile Profile
	Logger  *slog.Logger
	// Unfit says why an entry could not be applied; nil if it could. The leader asks it before it
	// appends, also what other nodes forward. It is called from several goroutines. A nil function
	// takes everything.
	Unfit func(data []byte) error
	// Bootstrap founds a new cluster of these members if DataDir holds no log yet; otherwise it is
	// ignored. Only the first node of a cluster sets it. A node that joins starts empty and waits
	// to be added by the leader.
	Bootstrap []Member
	// Fatal is called, at most once, when a write to the log hangs. Required with DataDir. The
	// process must end: a leader whose disk hangs keeps its followers quiet forever and is
	// replaced only when it is gone.
	Fatal func(reason string)
	// Life names the log in DataDir; see BeginLife. Mark, if set, is called when a new term is
	// written, before anything is done in it, and returns when that is kept where a loss of the log
	// does not lose it. Memory, if set, is what nodes remember of each other's logs. Cut is called
	// when a leader cuts the log below what this node has applied: nothing of that is taken, and
	// the daemon has to begin with another log.
	Life   string
	Mark   func(Held) error
	Memory Memory
	Cut    func(why string)
	// HealthChanged, if set, is called from one goroutine whenever the log volume's health changes.
	HealthChanged func(Health)

	// MaxProposals bounds the proposals under way on this node; 256 if zero.
	MaxProposals int
	// LeaderWait bounds how long Propose and Verify look for a leader; ten election timeouts if zero.
	LeaderWait time.Duration
	// SnapshotThreshold is the number of entries after which a snapshot is made; 4096 if zero.
	SnapshotThreshold uint64
	// SnapshotInterval is how often the threshold is looked at; 30 s if zero.
	SnapshotInterval time.Duration
	// TrailingEntries stay in the log behind a snapshot, for followers that lag a little; 2048 if
	// zero.
	TrailingEntries uint64
	// FreeBytesMin is the space below which the log volume counts as full; 64 MiB if zero.
	FreeBytesMin uint64
	// VolumeInterval is how often the log volume is looked at; 2 s if zero.
	VolumeInterval time.Duration

	// volumeProbe replaces the look at the real volume in tests.
	volumeProbe func() error
}

func (o *Options) complete() error {
	if o.ID == "" || o.Address == "" || o.Wire == nil {
		return errors.New("the log needs an id, an address and a wire")
	}
	if o.DataDir != "" && o.Fatal == nil {
		return errors.New("a log on disk needs Options.Fatal, which ends the process when the disk hangs")
	}
	if o.Profile == (Profile{}) {
		o.Profile, _ = ParseProfile("normal")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Fatal == nil {
		o.Fatal = func(reason string) { o.Logger.Error("the log cannot go on", "reason", reason) }
	}
	if o.Cut == nil {
		o.Cut = func(why string) { o.Fatal(why) }
	}
	setDefault(&o.MaxProposals, 256)
	setDefault(&o.LeaderWait, 10*o.Profile.Election)
	setDefault(&o.SnapshotThreshold, 4096)
	setDefault(&o.SnapshotInterval, 30*time.Second)
	setDefault(&o.TrailingEntries, 2048)
	setDefault(&o.FreeBytesMin, 64<<20)
	setDefault(&o.VolumeInterval, 2*time.Second)
	return nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Retime lets a log that runs follow another profile. The lease of a leader cannot change
// while it runs, so the others wait no less than that before they elect a new one; with the
// next start all of the profile counts.
func (l *Log) Retime(profile Profile) error {
	timings := l.raft.ReloadableConfig()
	timings.HeartbeatTimeout = max(profile.Heartbeat, l.options.Profile.Lease)
	timings.ElectionTimeout = max(profile.Election, timings.HeartbeatTimeout)
	if err := l.raft.ReloadConfig(timings); err != nil {
		return fmt.Errorf("let the log follow the timing %q: %w", profile.Name, err)
	}
	return nil
}

// Retime changes the interval of the beats.
func (p *Pulse) Retime(profile Profile) {
	p.mu.Lock()
	p.beat = profile.Beat
	p.mu.Unlock()
	select {
	case p.retimed <- struct{}{}:
	default: // it will be looked at already
	}
}

func (p *Pulse) interval() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.beat
}
