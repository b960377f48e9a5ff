package rules

import "github.com/clusterd/clusterd/cluster/internal/words"

// LockedWhy says that and why nothing may start; "" if it may.
func (w *World) LockedWhy() string {
	switch {
	case w.Lock() == nil:
		return ""
	case w.Lock().Stop:
		return words.Sentence("the whole cluster was stopped by "+words.OrElse(w.Lock().By, "an administrator"), w.Lock().Why)
	}
	by := words.OrElse(w.Lock().By, "an administrator")
	return words.Sentence("no service is started: the cluster is locked by "+by, w.Lock().Why)
}

// UnlockNext says what takes the lock away.
func (w *World) UnlockNext() string {
	if w.Lock() != nil && w.Lock().Stop {
		return "`clusterd cluster start`"
	}
	return "`clusvcadm -u`"
}
