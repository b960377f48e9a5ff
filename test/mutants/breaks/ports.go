package breaks

const (
	lobbyFile, measured = "internal/lobby/lobby.go", "internal/metrics/serve.go"
	pageVisits          = "internal/web/visits.go"
	gate, served        = "internal/server/gate.go", "internal/daemon/served.go"
)

// ports are breaks by which somebody at the page, or at the port for monitoring systems, takes what
// is not his, or hides what was refused.
var ports = []Mutant{
	{
		Name: "visitors-stay-among-strangers", Law: "L10",
		Broken: "strangers end the connections of visitors and of monitoring systems",
		Edits:  []Edit{{lobbyFile, "\tif pot != nil && !c.closed && (", "\tif pot != nil && c.closed && ("}},
		Nets: []Net{tests("internal/lobby", "^TestStrangersPushOutStrangers$"),
			tests("internal/web", "^TestStrangersEndNoVisitorsConnection$"),
			tests("internal/metrics", "^TestSilenceBlindsNoMonitoringSystem$")},
	},
	{
		Name: "port-connections-without-a-kind", Law: "L10",
		Broken: "the page does not know of a connection whose it is",
		Edits: []Edit{{"internal/web/visiting.go", "\t\tlobby.Settle(r.Context(), kindOf(v), v.Name)\n",
			"\t\tlobby.Settle(r.Context(), \"\", v.Name)\n"}},
		Nets: first(tests("internal/web", "^TestStrangersEndNoVisitorsConnection$")),
	},
	{
		Name: "one-address-blinds-monitoring", Law: "L10", Broken: "silent connections of one address take all places",
		Edits: []Edit{{lobbyFile, "\tpushed, _ = pot.Enter(holder, c)\n",
			"\tpot.Each, pot.Keeps = pot.Most, true\n\tif _, room := pot.Enter(holder, c); !room {\n\t\treturn &c\n\t}\n"}},
		Nets: first(tests("internal/metrics", "^TestSilenceBlindsNoMonitoringSystem$")),
	},
	{
		Name: "ports-without-a-pace", Law: "L10", Broken: "one address begins as many handshakes as it likes",
		Edits: []Edit{{lobbyFile, "l.bounds.Rate > 0 && l.pace.Overdrawn(", "l.bounds.Rate < 0 && l.pace.Overdrawn("}},
		Nets: []Net{tests("internal/lobby", "^TestHandshakesOfOneAddressArePaced$"),
			tests("internal/web", "^TestThePagesPortPacesHandshakes$"),
			tests("internal/metrics", "^TestOneAddressBeginsOnlySoManyHandshakes$")},
	},
	{
		Name: "guests-are-paced-too", Law: "L10", Broken: "a visitor who comes often is kept out like a stranger",
		Edits: []Edit{{lobbyFile, "\tif stranger && c.lobby", "\tif (stranger || true) && c.lobby"}},
		Nets:  first(tests("internal/lobby", "^TestHandshakesOfOneAddressArePaced$")),
	},
	{
		Name: "strangers-at-metrics-fill-the-log", Law: "L10",
		Broken: "each failed handshake at the port for monitoring systems has a line in the log",
		Edits:  []Edit{{measured, "\tif tell {\n", "\tif tell || unsaid == 0 {\n"}},
		Nets:   first(tests("internal/metrics", "^TestStrangersLeaveFewLines$")),
	},
	{
		Name: "one-viewer-has-all-pages", Law: "L10", Broken: "one visitor opens all the pages that there may be",
		Edits: []Edit{{"internal/web/front.go", "newPlaces[*http.Request](mostStreams, streamsOfOne, true)",
			"newPlaces[*http.Request](mostStreams, mostStreams, true)"}},
		Nets: first(tests("internal/web", "^TestPagesThatAreOpenAreBounded$")),
	},
	{
		Name: "viewers-take-the-pages-of-all", Law: "L10", Broken: "those who may only look keep operators off the page",
		Edits: []Edit{{pageVisits, "cmp.Or(p[who.Role], p[pki.RoleViewer])", "cmp.Or(p[pki.RoleViewer], p[who.Role])"}},
		Nets:  first(tests("internal/web", "^TestPagesThatAreOpenAreBounded$")),
	},
	{
		Name: "one-user-has-all-links", Law: "L10", Broken: "a user of the socket's group keeps root from logging in",
		Edits: []Edit{{pageVisits, "Each: linksOfOne, Keeps: true}", "Each: mostLinks, Keeps: true}"}},
		Nets:  first(tests("internal/web", "^TestLinksAndVisitsAreBounded$")),
	},
	{
		Name: "viewers-take-roots-streams", Law: "L10", Broken: "streams of viewers leave none to an administrator",
		Edits: []Edit{{gate, "\tcase c.Role == pki.RoleAdmin:", "\tcase c.Role == \"\":"}},
		Nets:  first(tests("internal/server", "^TestStreamsOfOthersLeaveRootItsOwn$")),
	},
	{
		Name: "one-viewer-has-all-streams", Law: "L10", Broken: "one viewer opens all the streams that there may be",
		Edits: []Edit{{gate, "{Most: streamsOfKind, Each: streamsOfOne, Keeps: true}",
			"{Most: streamsOfKind, Each: streamsOfKind, Keeps: true}"}},
		Nets: first(tests("internal/server", "^TestStreamsOfOthersLeaveRootItsOwn$")),
	},
	{
		Name: "one-brake-for-all-refusals", Law: "L10",
		Broken: "whoever knocks at the page hides what a stolen certificate is refused",
		Edits: []Edit{{"internal/daemon/trail.go", "cmp.Or(d.trail.refusals[refused], d.trail",
			"cmp.Or(d.trail.refusals[limits.Strangers], d.trail"}},
		Nets: first(tests("internal/daemon", "^TestAFloodOfOneKindHidesNoOther$")),
	},
	{
		Name: "metrics-refused-without-a-trace", Law: "L10",
		Broken: "who was not let read metrics is not in the audit trail",
		Edits:  []Edit{{served, "\t\td.refusedMonitor(r.RemoteAddr, err)\n", ""}},
		Nets:   first(tests("internal/daemon", "^TestMetricsAreReadByACertificateThatMayLook$")),
	},
	{
		Name: "metrics-for-any-certificate", Law: "L10",
		Broken: "whoever the authority signed reads metrics, recorded or not",
		Edits: []Edit{{served, "\t\terr = d.store.Admit(pki.ChannelLook, pki.Accepting, peer)\n\t}\n\tif err != nil {\n" +
			"\t\td.refusedMonitor",
			"\t\t_ = d.store\n\t}\n\tif err != nil {\n\t\td.refusedMonitor"}},
		Nets: first(tests("internal/daemon", "^TestMetricsAreReadByACertificateThatMayLook$")),
	},
	{
		Name: "ended-visits-go-on", Law: "L10", Broken: "an administrator ends visits, and they go on",
		Edits: []Edit{{pageVisits, "\t\tif name == \"\" || one.Name == name {\n",
			"\t\tif name == \"\" && one.Name == name {\n"}},
		Nets: []Net{tests("internal/web", "^TestVisitsAreEndedFromOutside$"),
			tests("internal/daemon", "^TestAnAdministratorEndsVisitsAtThePage$")},
	},
	{
		Name: "links-outlive-their-end", Law: "L10", Broken: "a stolen login link is good after everything was ended",
		Edits: []Edit{{pageVisits, "\t\tif name != \"\" && waiting.Name != name {\n", "\t\tif waiting.Name != \"\" {\n"}},
		Nets:  first(tests("internal/web", "^TestVisitsAreEndedFromOutside$")),
	},
	{
		Name: "viewers-end-visits", Law: "L10", Broken: "who may only look logs everybody out of the page",
		Edits: []Edit{{"internal/server/server.go", "{access{least: pki.RoleAdmin, local: true, kept: true}, s.endVisits}",
			"{access{least: pki.RoleViewer, local: true, kept: true}, s.endVisits}"}},
		Nets: first(tests("internal/server", "^TestWhoMayDoWhat$")),
	},
}
