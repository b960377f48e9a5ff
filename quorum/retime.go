package quorum

import (
	"fmt"
	"time"
)

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
