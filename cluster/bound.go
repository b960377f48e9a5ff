package cluster

// boundBy says why a VM cannot move live; "" where what is none.
func boundBy(what string) string {
	if what == "" {
		return ""
	}
	return "it cannot move live while it has " + what
}

// leftBehind says of a VM that came up on another node than the one on which it ran
// what is still there; "" for nothing.
func (s Service) leftBehind() string {
	stays := s.Spec.Stays()
	if stays == "" || s.LastOwner == "" || s.LastOwner == s.Owner || s.Owner == "" {
		return ""
	}
	return "it runs on " + s.Owner + " without what is in " + stays + " on " + s.LastOwner +
		", unless that is one and the same on both"
}
