package cli

import (
	"regexp"
	"slices"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/plain"
)

// saidTimes are the clock times in sentences of the cluster: every node writes the same sentence
// into its State, so they are in UTC and say so.
var saidTimes = regexp.MustCompile(`\b(\d{4}-\d\d-\d\d )?\d\d:\d\d(:\d\d)? UTC\b`)

// LocalTexts puts the clock times in all sentences of an answer, which is given by its address,
// into the zone of whoever reads: beside a clock of that zone they would be taken for its times.
func LocalTexts(answer any) {
	plain.Each(answer, func(text string) string { return textIn(text, time.Now(), time.Local) })
}

// LocalText does so with one sentence.
func LocalText(text string) string { return textIn(text, time.Now(), time.Local) }

// textIn puts the times of a sentence into a zone, and names that with each. A time without a day
// is taken for one of today.
func textIn(text string, today time.Time, zone *time.Location) string {
	return saidTimes.ReplaceAllStringFunc(text, func(said string) string {
		found := saidTimes.FindStringSubmatch(said)
		day, layout := found[1], found[1]
		if day == "" {
			day = today.UTC().Format("2006-01-02 ")
		} else {
			layout = "2006-01-02 "
		}
		clock := "15:04"
		if found[2] != "" {
			clock = time.TimeOnly
		}
		instant, err := time.Parse("2006-01-02 "+clock+" UTC", day+said[len(found[1]):])
		if err != nil {
			return said // No such day or hour: not one of ours.
		}
		return instant.In(zone).Format(layout + clock + " MST")
	})
}

// FenceInLocalTime does the same for the state of fencing, its texts and its times.
func FenceInLocalTime(status api.FenceStatus) api.FenceStatus {
	LocalTexts(&status)
	for i := range status.Nodes {
		if use := status.Nodes[i].LastUse; use != nil {
			use.At, use.Ended = local(use.At), local(use.Ended)
		}
		if drill := status.Nodes[i].LastDrill; drill != nil {
			drill.At = local(drill.At)
		}
	}
	return status
}

// FenceHistoryInLocalTime does it for what was fenced.
func FenceHistoryInLocalTime(history api.FenceHistory) api.FenceHistory {
	LocalTexts(&history)
	for i := range history.Records {
		r := &history.Records[i]
		r.At, r.Ended = local(r.At), local(r.Ended)
	}
	return history
}

// StatusInLocalTime returns the status with its times in the zone of whoever
// reads.
func StatusInLocalTime(status api.Status) api.Status {
	status.At = local(status.At)
	if status.Lock != nil {
		lock := LockInLocalTime(*status.Lock)
		status.Lock = &lock
	}
	status.Nodes, status.Services = slices.Clone(status.Nodes), slices.Clone(status.Services)
	for i := range status.Nodes {
		status.Nodes[i].Since = local(status.Nodes[i].Since)
	}
	for i := range status.Services {
		service := &status.Services[i]
		service.Since = local(service.Since)
		if service.Freeze != nil {
			freeze := *service.Freeze
			freeze.At, freeze.Until = local(freeze.At), local(freeze.Until)
			service.Freeze = &freeze
		}
		service.Failures = slices.Clone(service.Failures)
		for j := range service.Failures {
			service.Failures[j].At = local(service.Failures[j].At)
		}
	}
	return status
}

// LockInLocalTime does the same for a lock.
func LockInLocalTime(lock api.LockStatus) api.LockStatus {
	lock.At = local(lock.At)
	return lock
}

// local leaves an instant that is none as it is: in another zone it would read as
// one.
func local(instant time.Time) time.Time {
	if instant.IsZero() {
		return instant
	}
	return instant.Local()
}
