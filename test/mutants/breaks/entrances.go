package breaks

const queue = "internal/server/crowd.go"

func byServerTests(run string) []Net { return []Net{tests("internal/server", "^"+run+"$")} }

func byPageTests(run string) []Net { return []Net{tests("internal/web", "^"+run+"$")} }

// entrances are the breaks of what bounds a caller before anything is done for him, and of what he
// says of himself.
var entrances = []Mutant{
	{
		Name: "bodies-without-a-deadline", Law: "L10", Broken: "who begins a body and does not end it is waited for",
		Edits: []Edit{{gate, "\t_ = control.SetReadDeadline(time.Now().Add(patience))\n", "\t_ = patience\n"}},
		Nets:  byServerTests("TestABodyHasItsTime"),
	},
	{
		Name: "joiners-are-waited-for-like-members", Law: "L10",
		Broken: "a machine without a certificate may take as long for a body as anybody",
		Edits:  []Edit{{gate, "\t\tpatience = joinPatience\n", "\t\tpatience = bodyPatience\n"}},
		Nets:   byServerTests("TestABodyHasItsTime"),
	},
	{
		Name: "bodies-of-any-size", Law: "L10", Broken: "a body that does not say how large it is may be so without end",
		Edits: []Edit{{gate, "http.MaxBytesReader(w, r.Body, most)", "http.MaxBytesReader(w, r.Body, most<<20)"}},
		Nets:  byServerTests("TestABodyHasItsSize"),
	},
	{
		Name: "bodies-without-a-share", Law: "L10", Broken: "bodies of users take all the memory that there is",
		Edits: []Edit{{gate, "\tif s.bodies[share]+bytes > bodiesOfKind {", "\tif s.bodies[share]+bytes < 0 {"}},
		Nets:  byServerTests("TestBodiesTakeSoMuchMemory"),
	},
	{
		Name: "unknown-sizes-are-none", Law: "L10", Broken: "a body that does not say how large it is takes no memory",
		Edits: []Edit{{gate, "\t\texpected = most\n", "\t\texpected = 0\n"}},
		Nets:  byServerTests("TestBodiesTakeSoMuchMemory"),
	},
	{
		Name: "users-take-roots-requests", Law: "L10", Broken: "requests of users leave none to root",
		Edits: []Edit{{gate, "\t\treturn limits.Root\n", "\t\treturn limits.Users\n"}},
		Nets:  byServerTests("TestACrowdLeavesNodesAndRootTheirRequests"),
	},
	{
		Name: "nodes-have-no-share", Law: "L10", Broken: "nodes have their requests among those of root",
		Edits: []Edit{{gate, "\t\treturn limits.Nodes\n", "\t\treturn limits.Root\n"}},
		Nets:  byServerTests("TestACrowdLeavesNodesAndRootTheirRequests"),
	},
	{
		Name: "root-is-paced", Law: "L10", Broken: "nodes and root wait like whoever asks too often",
		Edits: []Edit{{gate, "\tif who.Reserved {\n\t\treturn nil\n\t}\n\twait :=", "\twait :="}},
		Nets:  byServerTests("TestACrowdLeavesNodesAndRootTheirRequests"),
	},
	{
		Name: "root-queues-at-the-socket", Law: "L10", Broken: "connections of users to the socket push out root's",
		Edits: []Edit{{queue, "c.rooms[conn.who.Reserved].Enter(", "c.rooms[false].Enter("}},
		Nets:  byServerTests("TestTheSocketHasPlacesForRoot"),
	},
	{
		Name: "one-user-has-the-socket", Law: "L10", Broken: "one user has all the places of users at the socket",
		Edits: []Edit{{queue, "Each: connectionsOfUID}", "Each: userConnections}"}},
		Nets:  byServerTests("TestTheSocketHasPlacesForRoot"),
	},
	{
		Name: "the-socket-without-a-pace", Law: "L10", Broken: "a user connects to the socket as often as he likes",
		Edits: []Edit{{queue, "\tif !conn.who.Reserved && c.pace.Wait(conn.who.Holder, time.Now()) > 0 {",
			"\tif !conn.who.Reserved && c.pace.Wait(conn.who.Holder, time.Now()) < 0 {"}},
		Nets: byServerTests("TestAUserConnectsOnlySoOften"),
	},
	{
		Name: "twin-hardware-joins", Law: "L1", Broken: "a machine joins that tells the hardware UUID of a member",
		Edits: []Edit{{"cluster/admit.go", "\tcase fence.SamePlatform(c.HardwareUUID, other.HardwareUUID):",
			"\tcase c.HardwareUUID == \"\" && fence.SamePlatform(c.HardwareUUID, other.HardwareUUID):"}},
		Nets: first(tests("internal/daemon", "^TestNothingOfAJoinThatIsRefusedStays$")),
	},
	{
		Name: "twin-address-joins", Law: "L10", Broken: "a machine joins under the address of a member",
		Edits: []Edit{{"cluster/admit.go", "\tcase strings.EqualFold(c.Address, other.Address):",
			"\tcase c.Address == \"\" && strings.EqualFold(c.Address, other.Address):"}},
		Nets: first(tests("internal/daemon", "^TestNothingOfAJoinThatIsRefusedStays$")),
	},
	{
		Name: "another-site-changes", Law: "L10", Broken: "a change at the page is taken without the page's own word",
		Edits: []Edit{{"internal/web/visiting.go",
			"\t\tif r.Method != http.MethodGet && subtle.ConstantTimeCompare([]byte(sent), []byte(v.csrf)) != 1 {",
			"\t\tif r.Method == \"\" && subtle.ConstantTimeCompare([]byte(sent), []byte(v.csrf)) != 1 {"}},
		Nets: byPageTests("TestAChangeComesFromThePageAlone"),
	},
	{
		Name: "another-origin-asks", Law: "L10", Broken: "a request is taken that the browser says another site sent",
		Edits: []Edit{{"internal/web/front.go", "\t\tif err := foreign.Check(r); err != nil {",
			"\t\tif err := foreign.Check(r); err != nil && r.Method == \"\" {"}},
		Nets: byPageTests("TestAChangeComesFromThePageAlone"),
	},
	{
		Name: "the-page-passes-backups", Law: "L10", Broken: "a browser is given the backup of the cluster",
		Edits: []Edit{{"internal/web/front.go", "\t\"GET \" + api.PathMoves,\n",
			"\t\"GET \" + api.PathMoves,\n\t\"GET \" + api.PathBackup,\n"}},
		Nets: byPageTests("TestThePageIsNoWayAroundTheInterface"),
	},
	{
		Name: "links-are-used-twice", Law: "L10", Broken: "a login link lets in whoever comes by it after its owner",
		Edits: []Edit{{"internal/web/visits.go", "\tv.sweep(now)\n\tcookie = rand.Text()\n",
			"\tv.links[digest(secret)] = waiting\n\tv.sweep(now)\n\tcookie = rand.Text()\n"}},
		Nets: byPageTests("TestALinkLetsOneBrowserInOnce"),
	},
	{
		Name: "receivers-are-quoted-whole", Law: "L10",
		Broken: "the token that an alert's receiver quotes is shown to whoever may look",
		Edits: []Edit{{"internal/alerts/post.go", "\tsecrets := []string{alert.Secret.Reveal()}\n",
			"\tvar secrets []string\n"}},
		Nets: first(tests("internal/alerts", "^TestAReceiverThatQuotesWhatItWasToldIsHeard$")),
	},
	{
		Name: "drivers-are-quoted-whole", Law: "L10", Broken: "the password that a BMC quotes is shown to whoever may look",
		Edits: []Edit{{"internal/vault/drivers.go", "{ return fence.HideIn(text, secrets...) }", "{ return text }"}},
		Nets:  first(tests("internal/daemon", "^TestNoOutputShowsASecret$")),
	},
}

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
		Edits: []Edit{{"internal/register/register.go", "kind, person := string(braked)+\" refused\"",
			"kind, person := \"refused\""}},
		Nets: first(tests("internal/daemon", "^TestAFloodOfOneKindHidesNoOther$")),
	},
	{
		Name: "robots-hide-administrators", Law: "L10", Broken: "a program that fails hides what administrators are refused",
		Edits: []Edit{{"internal/register/register.go", "\t\t\tperson = e.Who // a program",
			"\t\t\tperson = \"\" // a program"}},
		Nets: first(tests("internal/daemon", "^TestOneAdministratorsFailuresHideNoOthers$")),
	},
	{
		Name: "unknown-is-not-done", Law: "L10", Broken: "what an administrator may have done is a number in the trail",
		Edits: []Edit{{"internal/server/audit.go", "\tif outcomeUnknown(err) && who", "\tif err == nil && who"}},
		Nets:  first(tests("internal/server", "^TestWhatAnAdministratorMayHaveDoneIsNeverLeftOut$")),
	},
	{
		Name: "drives-are-always-empty", Law: "L10", Broken: "a policy takes what is in a drive of a VM for nothing",
		Edits: []Edit{{"internal/config/nodefile/harmless_disks.go", "listed(\"source backingStore mirror\"",
			"listed(\"backingStore mirror\""}},
		Nets: first(tests("internal/config/nodefile", "^TestWhatReachesAHostIsNeverHarmless$")),
	},
	{
		Name: "channels-are-anybodys", Law: "L10", Broken: "a VM listens where another one's guest agent is asked",
		Edits: []Edit{{"internal/config/nodefile/harmless_channels.go", "return below(folder, at) && isChannelOf(",
			"return below(folder, at) || isChannelOf("}},
		Nets: first(tests("internal/config/nodefile", "^TestOnlyAGuestsOwnChannelIsHarmless$")),
	},
	{
		Name: "metrics-refused-without-a-trace", Law: "L10",
		Broken: "who was not let read metrics is not in the audit trail",
		Edits:  []Edit{{served, "\t\td.register.RefusedMonitor(r.RemoteAddr, err)\n", ""}},
		Nets:   first(tests("internal/daemon", "^TestMetricsAreReadByACertificateThatMayLook$")),
	},
	{
		Name: "metrics-for-any-certificate", Law: "L10",
		Broken: "whoever the authority signed reads metrics, recorded or not",
		Edits: []Edit{{served, "\t\terr = d.store.Admit(pki.ChannelLook, pki.Accepting, peer)\n\t}\n\tif err != nil {\n" +
			"\t\td.register.RefusedMonitor",
			"\t\t_ = d.store\n\t}\n\tif err != nil {\n\t\td.register.RefusedMonitor"}},
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

const (
	users   = "internal/networks/users/users.go"
	keeper  = "agents/network/keeper.go"
	vxlan   = "agents/network/vxlan.go"
	present = "agents/network/here.go"
	wished  = "internal/networks/networks.go"
	wiring  = "cluster/apply/cluster.go"
)

func byNetworkTests(run string) []Net { return []Net{tests("agents/network", "^"+run+"$")} }

func byUserTests(run string) []Net { return []Net{tests("internal/networks/users", "^"+run+"$")} }

// guestNetworks are the breaks of networks that follow guests; those of the kernel's part take
// root.
var guestNetworks = []Mutant{
	{
		Name: "target-is-no-user", Law: "R", Broken: "where a guest is on its way to, its network is used by nobody",
		Edits: []Edit{{users, "\t\t\ttalks(i.Target, service.Spec.Networks)\n" +
			"\t\t\ttalks(i.Target, i.SetOutAs(service.Spec).Networks)\n", ""}},
		Nets: byUserTests("TestWhoUsesANetwork"),
	},
	{
		Name: "doubt-is-no-use", Law: "R", Broken: "of the nodes where a guest may be, only one uses its network",
		Edits: []Edit{{users, "range service.Holders {\n", "range min(1, len(service.Holders)) {\n"}},
		Nets:  byUserTests("TestWhoUsesANetwork"),
	},
	{
		Name: "removed-services-use-nothing", Law: "R",
		Broken: "a removed service that may run on uses no network",
		Edits:  []Edit{{users, "\t\tuse(&grave)\n", "\t\t_ = grave\n"}},
		Nets:   byUserTests("TestWhoUsesANetwork"),
	},
	{
		Name: "declared-anew-is-attached-anew", Law: "R", Broken: "a guest that runs loses its network to what is declared",
		Edits: []Edit{{users, "\t\t\ttalks(h.Node, h.Networks)\n", ""}},
		Nets:  byUserTests("TestWhoUsesANetwork"),
	},
	{
		Name: "moved-guests-are-attached-anew", Law: "R", Broken: "where a guest goes to, only what is declared now is used",
		Edits: []Edit{{users, "\t\t\ttalks(i.Target, i.SetOutAs(service.Spec).Networks)\n", ""}},
		Nets:  byUserTests("TestWhoUsesANetwork"),
	},
	{
		Name: "moves-go-by-the-declaration", Law: "R",
		Broken: "a live move makes the networks that are declared, not those that the guest has",
		Edits: []Edit{{"cluster/work.go", "d.Spec.Definition, d.Spec.Networks = source.Definition, source.Networks",
			"d.Spec.Definition = source.Definition"}},
		Nets: byTests("TestARunningGuestKeepsItsNetworks"),
	},
	{
		Name: "networks-change-under-guests", Law: "R", Broken: "the bridge of a network changes under running guests",
		Edits: []Edit{{wiring, "\t\tif kept && was.VLAN == now.VLAN && was.Over == now.Over && was.Bridge == now.Bridge {\n",
			"\t\tif kept && was.VLAN > 0 && now.VLAN > 0 {\n"}},
		Nets: byTests("TestARunningGuestKeepsItsNetworks"),
	},
	{
		Name: "networks-go-under-guests", Law: "R", Broken: "a network leaves the document while guests run with it",
		Edits: []Edit{{wiring, "\t\tdefault:\n\t\t\treturn message.DocumentNetworkInUse",
			"\t\tcase now.VLAN > 0:\n\t\t\treturn message.DocumentNetworkInUse"}},
		Nets: byTests("TestARunningGuestKeepsItsNetworks"),
	},
	{
		Name: "guests-come-before-their-networks", Law: "R", Broken: "a guest is started where its network cannot be made",
		Edits: []Edit{{keeper, "\t\t\treturn agents.Refuse(act, oneLine(err))\n", "\t\t\treturn do(ctx, act)\n"}},
		Nets:  byNetworkTests("TestNetworksComeBeforeTheirGuest"),
	},
	{
		Name: "rehearsals-make-networks", Law: "R", Broken: "who only asks whether a guest could come has its networks made",
		Edits: []Edit{{keeper, "\t\tif act.Rehearsed {\n", "\t\tif false {\n"}},
		Nets:  byNetworkTests("TestNetworksComeBeforeTheirGuest"),
	},
	{
		Name: "unknown-is-unused", Law: "R", Broken: "a node that was not admitted yet takes the networks of its guests away",
		Edits: []Edit{
			{keeper, "\tif !known {\n\t\treturn nil, nil, nil\n", "\tif false && !known {\n\t\treturn nil, nil, nil\n"},
			{keeper, "\tif !known {\n\t\treturn nil\n", "\tif false && !known {\n\t\treturn nil\n"}},
		Nets: byNetworkTests("TestTidyFollowsWhatIsWanted"),
	},
	{
		Name: "foreign-bridges-are-ours", Law: "R", Broken: "an interface that somebody else made is taken",
		Edits: []Edit{{present, "\t\tcase named && !is:\n", "\t\tcase false:\n"},
			{vxlan, "\tcase has.Attrs().Alias != want.Attrs().Alias:\n", "\tcase false:\n"}},
		Nets: byNetworkTests("TestOnlyWhatIsOursIsTouched"),
	},
	{
		Name: "guests-lose-their-bridge", Law: "R", Broken: "a bridge is removed under the guests that are attached to it",
		Edits: []Edit{{present, "\t\tif a.MasterIndex == index || a.", "\t\tif a."}},
		Nets:  byNetworkTests("TestABridgeInUseStays"),
	},
	{
		Name: "guests-lose-what-they-stand-upon", Law: "R", Broken: "a bridge is removed under macvtaps, or with an address",
		Edits: []Edit{{present, "\t\tif a.MasterIndex == index || a.ParentIndex == index && a.NetNsID < 0 {\n",
			"\t\tif a.MasterIndex == index {\n"},
			{present, "\t\tif address.LinkIndex == index && ", "\t\tif address.LinkIndex == 0 && "}},
		Nets: byNetworkTests("TestWhatOthersHaveAtABridgeStays"),
	},
	{
		Name: "guests-lose-their-way-out", Law: "R", Broken: "a network's new bridge takes the way out from the old one",
		Edits: []Edit{{present, "\t\tif other := h.heldAt(w, link); other != \"\" {\n",
			"\t\tif other := h.heldAt(w, link); other == \"-\" {\n"}},
		Nets: byNetworkTests("TestAGuestKeepsItsBridgeAndItsWayOut"),
	},
	{
		Name: "hosts-listen-to-guests", Law: "R", Broken: "a guest that calls itself a router is believed by the host",
		Edits: []Edit{{vxlan, "\t_, err = setting.WriteString(\"1\")\n", "\t_, err = setting.WriteString(\"0\")\n"}},
		Nets:  byNetworkTests("TestTheHostStaysOutOfItsGuestsNetworks"),
	},
	{
		Name: "what-was-known-before-counts", Law: "R", Broken: "a State from before the admission says what runs here",
		Edits: []Edit{{wished, "\treturn wished, known\n", "\treturn wished, h.options.Admitted() || known\n"}},
		Nets:  []Net{tests("internal/networks", "^TestAStateFromBeforeTheAdmissionTakesNothingAway$")},
	},
	{
		Name: "rounds-go-by-what-was-wanted", Law: "R", Broken: "a round takes away what a start has just had made",
		Edits: []Edit{{keeper, "\tif wished {\n\t\treturn nil\n\t}\n\tdelete(", "\tdelete("}},
		Nets:  byNetworkTests("TestARoundGoesByWhatIsWantedNow"),
	},
	{
		Name: "old-looks-decide", Law: "R", Broken: "a bridge is removed under what came since the host was looked at",
		Edits: []Edit{{vxlan, "\tv.Look() // something may have been attached since\n\th, err := v.look()\n",
			"\th, err := v.look()\n"}},
		Nets: byNetworkTests("TestARoundLooksOnce"),
	},
	{
		Name: "networks-stay-others", Law: "R", Broken: "what another network had is not taken over",
		Edits: []Edit{{vxlan, "\tif err := v.clearAway(w, true); err != nil {\n",
			"\tif err := v.clearAway(w, false); err != nil {\n"},
			{keeper, "\treturn k.driver.Clear(wish)\n", "\treturn nil\n"}},
		Nets: byNetworkTests("TestANetworkTakesWhatAnotherHad"),
	},
}
