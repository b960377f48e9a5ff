package main

// keys are breaks of L10 in what authenticates: who was a member once, or only listens, could speak
// for a node or mute it.
func keys() []mutant {
	const rekey, sealed, authority = "cluster/apply_keys.go", "cluster/sealed.go", "cluster/authority.go"
	const pulse, beat, pairs = "quorum/pulse.go", "quorum/beat.go", "internal/daemon/pairs.go"
	return []mutant{
		{
			name: "one-key-for-all-pairs", law: "L10",
			broken: "heartbeats of all pairs of nodes have one key, which a removed node keeps",
			edits: []edit{{"internal/pki/pair.go", "hkdf.Key(sha256.New, shared, nil, info,",
				"hkdf.Key(sha256.New, shared[:0], nil, purpose+info[:0],"}},
			nets: first(tests("internal/daemon", "^TestEachPairOfNodesHasItsOwnKey$")),
		},
		{
			name: "unsigned-beats-count", law: "L10", broken: "a beat counts whatever key it was made with",
			edits: []edit{{beat, "key == nil || !hmac.Equal(code, authenticate(key, body))", "key == nil || len(code) == 0"}},
			nets:  first(tests("quorum", "^TestAFormerMemberForgesNoBeat$")),
		},
		{
			name: "replaced-machine-is-heard", law: "L10", broken: "the machine that was replaced goes on counting as alive",
			edits: []edit{{pulse, "\t\tknown.Peer = peer\n",
				"\t\tif known.ID != \"\" {\n\t\t\tpeer.Key = known.Key\n\t\t}\n\t\tknown.Peer = peer\n"},
				{pulse, "known == nil || !bytes.Equal(known.Key, peer.Key)", "known == nil"}},
			nets: first(tests("quorum", "^TestARemovedPeerIsNotHeardAnyLonger$")),
		},
		{
			name: "removed-node-keeps-its-pair", law: "L10", broken: "a node that was removed is still heard",
			edits: []edit{{pulse, "\tp.peers = next\n",
				"\tfor id, gone := range p.peers {\n\t\tnext[id] = gone\n\t}\n\tp.peers = next\n"}},
			nets: []net{tests("quorum", "^TestARemovedPeerIsNotHeardAnyLonger$"),
				tests("internal/daemon", "^TestARemovedNodesDaemonEnds$")},
		},
		{
			name: "leaps-of-the-sequence", law: "L10", broken: "one beat with a great sequence number mutes a living node",
			edits: []edit{{pulse, "beat.sequence-peer.sequence <= stepMax:", "beat.sequence > peer.sequence:"}},
			nets:  first(tests("quorum", "^TestALeapOfTheSequenceDoesNotMuteANode$")),
		},
		{
			name: "nobody-is-answered", law: "L10", broken: "repeated old beats keep a restarted daemon unheard",
			edits: []edit{{pulse, "\t\treturn false, p.answer(peer, beat, state)\n",
				"\t\tpeer.echo = beat.challenge\n\t\treturn false, nil\n"}},
			nets: first(tests("quorum", "^TestAReplayDelaysNoRestartedDaemon$")),
		},
		{
			name: "answers-are-answered", law: "L10", broken: "a repeated answer is answered, and two nodes go on for ever",
			edits: []edit{{pulse, "\tif beat.answer || peer.answered", "\tif peer.answered"}},
			nets:  first(tests("quorum", "^TestAnAnswerIsNotAnswered$")),
		},
		{
			name: "key-of-another-fingerprint", law: "L10",
			broken: "a member is recorded with a public key that is not its fingerprint's",
			edits: []edit{{member, "\tif len(c.Key) > 0 && fingerprintOf(c.Key) != c.Fingerprint {",
				"\tif len(c.Key) > 1_000_000 {"},
				{pairs, " || public.Fingerprint() != n.Fingerprint", ""}},
			nets: first(tests("cluster", "^TestAKeyIsRecordedWithItsFingerprint$")),
		},
		{
			name: "removed-node-keeps-the-data-key", law: "L10", broken: "a removed node goes on reading what is sealed",
			edits: []edit{{rekey, "\tdelete(wraps, node)\n", ""}, {rekey, "\t\tif n, known := t.Nodes.Get(node); !known ||",
				"\t\tif n, _ := t.Nodes.Get(node); n.Name != \"\" &&"}},
			nets: first(tests("cluster", "^TestTheDataKeyIsForMembersAlone$")),
		},
		{
			name: "no-new-data-key", law: "L10", broken: "the data key, and the key of gossip, outlive a removal",
			edits: []edit{{rekey, "t.Secrets.Wraps, t.Secrets.Wanted = wraps, why", "t.Secrets.Wraps = wraps"}},
			nets:  first(tests("internal/daemon", "^TestARemovedNodesDiskOpensNothingNewer$")),
		},
		{
			name: "late-data-key", law: "L7", broken: "a data key made from an older State takes the place of a newer one",
			edits: []edit{{rekey, "\tif c.Epoch != t.Secrets.Epoch {", "\tif c.Epoch > t.Secrets.Epoch {"}},
			nets:  first(tests("cluster", "^TestTheDataKeyIsForMembersAlone$")),
		},
		{
			name: "authority-dropped-early", law: "L10",
			broken: "the old authority is dropped while a member has no other certificate",
			edits: []edit{{authority, "if next.Signing && firstMissing(t.State, next.Held) == \"\" {",
				"if next.Signing && len(next.Held) > 0 {"}},
			nets: first(tests("cluster", "^TestAnAuthorityIsDroppedWhenAllHaveTheNext$")),
		},
		{
			name: "authority-signs-early", law: "L10",
			broken: "members get certificates that one which is away would not believe when it is back",
			edits: []edit{{authority, "if !next.Signing && firstMissing(t.State, next.Believed) == \"\" {",
				"if !next.Signing {"}},
			nets: first(tests("internal/daemon", "^TestAMemberThatIsAwayHoldsTheAuthorityUp$")),
		},
		{
			name: "authority-lost-with-the-data-key", law: "L7", broken: "a new data key leaves the new authority's key behind",
			edits: []edit{{rekey, "(next != nil) != (len(c.NextKey) > 0)", "next == nil && len(c.NextKey) > 0"},
				{rekey, "\t\tchanged.Key = c.NextKey\n", "\t\tchanged.Key = next.Key\n"}},
			nets: first(tests("cluster", "^TestAnAuthorityIsDroppedWhenAllHaveTheNext$")),
		},
		{
			name: "any-authority-is-believed", law: "L10",
			broken: "a certificate of an authority that nobody told of is taken over",
			edits: []edit{{"internal/pki/identity.go",
				"!slices.ContainsFunc(store.trust.authorities(), renewed.Authority.Equal)",
				"!slices.Contains([]int{1}, 1)"}},
			nets: first(tests("internal/pki", "^TestTwoAuthoritiesAreBelievedWhileOneTakesTheOthersPlace$")),
		},
		{
			name: "turned-key-stays-welcome", law: "L10", broken: "the old key of a node that has a new one is not barred",
			edits: []edit{{rekey, "\tt.Removed.Set(n.Fingerprint, Removed{Name: n.Name, At: t.at, By: turn.By})\n", ""}},
			nets:  first(tests("cluster", "^TestANodesKeyIsTurnedInSteps$")),
		},
		{
			name: "turned-key-opens-the-data-key", law: "L10",
			broken: "what is sealed after a node has a new key opens with the old one",
			edits:  []edit{{rekey, "\tt.Secrets.Wanted = node + ", "\t_ = node + "}},
			nets:   first(tests("cluster", "^TestANodesKeyIsTurnedInSteps$")),
		},
		{
			name: "turned-key-is-another-machine", law: "L1",
			broken: "a node with a new key is taken for another machine than the one that holds its services",
			edits:  []edit{{rekey, "\t\tn.JoinedAs = n.Fingerprint // the", "\t\tn.JoinedAs = \"\" // the"}},
			nets:   first(tests("cluster", "^TestANodesKeyIsTurnedInSteps$")),
		},
		{
			name: "key-turned-under-a-guest", law: "L5", broken: "the streams of a live migration are cut by a new key",
			edits: []edit{{rekey, "i != nil && i.Kind == IntentMigrate && !i.Settling && (i.Node == node",
				"i != nil && i.Kind == IntentMigrate && i.Settling && (i.Node == node"}},
			nets: first(tests("cluster", "^TestAKeyIsTurnedOnlyWhereTheOthersKnow$")),
		},
		{
			name: "new-key-unknown-to-the-others", law: "L10",
			broken: "a node uses its new key before anybody believes it, and is out of touch by it",
			edits: []edit{{rekey, "\treturn n.Fingerprint == fingerprint || n.KeyTurn != nil",
				"\treturn n.Fingerprint == fingerprint || n.KeyTurn == nil"}},
			nets: first(tests("cluster", "^TestANodesKeyIsTurnedInSteps$")),
		},
		{
			name: "old-key-stays-on-the-disk", law: "L10", broken: "a node keeps the key that it had before for good",
			edits: []edit{{"internal/pki/turn.go",
				"\tfor _, name := range []string{nextKeyFileName, formerKeyFileName} {\n\t\tif err := os.Remove",
				"\tfor _, name := range []string{nextKeyFileName} {\n\t\tif err := os.Remove"}},
			nets: first(tests("internal/pki", "^TestNothingIsLeftOfAKeyThatWasTurned$")),
		},
		{
			name: "turned-identity-cut-short", law: "L7",
			broken: "a node that ends between its new certificate and its new key has no identity",
			edits: []edit{{"internal/pki/turn.go", "\tif missing == nil && unreadable == nil && len(certificates) > 0 &&",
				"\tif missing == nil && unreadable == nil && len(certificates) > 9 &&"}},
			nets: first(tests("internal/pki", "^TestAFolderHoldsOneIdentityAtEachPointOfATurn$")),
		},
		{
			name: "heartbeats-with-the-old-pair", law: "L10",
			broken: "a node with a new key goes on with the pair keys of the old one",
			edits:  []edit{{pairs, "\tif d.pairsOf != own.Fingerprint() {", "\tif d.pairsOf == \"\" {"}},
			nets:   first(tests("internal/daemon", "^TestANodesKeyIsRotatedUnderLoad$")),
		},
		{
			name: "turned-links-stay", law: "L10", broken: "connections made with the old key of a node are not cut",
			edits: []edit{{"internal/daemon/members.go", "\td.mux.Recheck()\n\td.wire.Recheck()\n", ""}},
			nets:  first(tests("internal/daemon", "^TestLinksOfATurnedKeyAreCut$")),
		},
		{
			name: "nobody-vouches", law: "L10",
			broken: "a member that was away is deaf to a leader that joined meanwhile, for good",
			edits: []edit{{"internal/daemon/vouching.go", "\t\tcase keyOfMember:\n\t\t\tvouched = true\n",
				"\t\tcase keyOfMember:\n"}},
			nets: first(tests("internal/daemon", "^TestALaggingMemberIsLetInByAMembersWord$")),
		},
		{
			name: "anybody-is-vouched-for", law: "L10", broken: "a member vouches for a key that no State knows",
			edits: []edit{{"internal/daemon/vouching.go", "\t\treturn keyRemoved\n\t}\n\treturn \"\"\n",
				"\t\treturn keyRemoved\n\t}\n\treturn keyOfMember\n"}},
			nets: first(tests("internal/daemon", "^TestALaggingMemberIsLetInByAMembersWord$")),
		},
		{
			name: "gossip-ends-the-daemon", law: "L10",
			broken: "one packet of a machine that has the key of gossip ends every daemon",
			edits: []edit{{"quorum/gossip.go", " && encrypted[0] == gossipEncryption", ""},
				{"quorum/gossip.go", "len(encrypted) > gossipOverhead", "len(encrypted) > 0"}},
			nets: first(tests("quorum", "^FuzzGossipPackets$")),
		},
		{
			name: "alerts-without-their-credential", law: "L10",
			broken: "an alert whose credential is missing is sent without its secret",
			edits: []edit{{"internal/daemon/sealing.go", "\tif name != \"\" {\n\t\treturn credential(name)\n",
				"\tif name != \"\" {\n\t\tsecret, _ := credential(name)\n\t\treturn secret, nil\n"}},
			nets: first(tests("internal/daemon", "^TestACredentialIsReadWhereItIsUsed$")),
		},
		{
			name: "plain-secrets-in-the-log", law: "L10", broken: "a password enters every node's log as it is",
			edits: []edit{{sealed, "\t\tcase why != \"\" || kept || brought:",
				"\t\tcase why != \"\" || kept || brought || !fence.IsReference(secret):"}},
			nets: first(tests("cluster", "^TestNoSecretEntersTheLogAsItIs$")),
		},
		{
			name: "documents-are-not-sealed", law: "L10", broken: "the daemon puts passwords into the log as they are",
			edits: []edit{
				{sealed, "\t\tcase why != \"\" || kept || brought:",
					"\t\tcase why != \"\" || kept || brought || !fence.IsReference(secret):"},
				{"internal/config/seal.go", "\treturn rewrite(text, top, edits)", "\treturn rewrite(text, top, edits[:0])"}},
			nets: first(tests("internal/daemon", "^TestTheLogHoldsSecretsSealed$")),
		},
		{
			name: "secrets-left-behind", law: "L7", broken: "a new data key leaves secrets that nobody can open any more",
			edits: []edit{{sealed, "\t\tif len(c.Sealed[reference]) == 0 {", "\t\tif len(c.Sealed[reference]) > 1_000_000 {"},
				{sealed, "\tif len(c.Sealed) != len(s.Secrets.Sealed) {", "\tif len(c.Sealed) > len(s.Secrets.Sealed) {"}},
			nets: first(tests("cluster", "^TestNoSecretEntersTheLogAsItIs$")),
		},
		{
			name: "sealed-with-an-old-key", law: "L7", broken: "secrets sealed with a data key that has gone enter the log",
			edits: []edit{{sealed, "len(c.Sealed) > 0 && c.SealedBy != t.Secrets.Epoch",
				"len(c.Sealed) > 0 && c.SealedBy > t.Secrets.Epoch"}},
			nets: first(tests("cluster", "^TestNoSecretEntersTheLogAsItIs$")),
		},
		{
			name: "earlier-secrets-are-forgotten", law: "L7",
			broken: "going back to an earlier document finds its passwords gone",
			edits:  []edit{{sealed, "\t\t\twithin(piece.Text)\n", "\t\t\t_ = piece\n"}},
			nets:   first(tests("cluster", "^TestNoSecretEntersTheLogAsItIs$")),
		},
		{
			name: "parameters-are-shown", law: "L10",
			broken: "passwords of agents stand in records of plans and in support bundles",
			edits: []edit{{"internal/recorder/secrets.go",
				"\tif treeHoldsSecret(spec.Tree) {\n", "\tif len(spec.Tree) > 1_000 {\n"}},
			nets: first(tests("internal/recorder", "^TestNoSecretIsInARecord$")),
		},
		{
			name: "options-are-shown", law: "L10", broken: "communities and passwords among options stand in `config show`",
			edits: []edit{{"internal/config/seal.go", "alertSecrets(top), secretValues(top, \"\", nil))", "alertSecrets(top))"}},
			nets:  first(tests("internal/config", "^TestSecretsOfParametersAndOptionsAreNeverShown$")),
		},
		{
			name: "half-a-secret-is-said", law: "L10",
			broken: "an agent's words are cut first and cleared of secrets then",
			edits: []edit{{"agents/ocf/secrets.go",
				"\tif h.secrets != nil {\n\t\te.Stdout, e.Stderr", "\tif h.secrets != nil && len(e.Stderr) > 1<<30 {\n\t\te.Stdout, e.Stderr"}},
			nets: first(tests("agents/ocf", "^TestNoPieceOfASecretIsSaid$")),
		},
		{
			name: "masks-are-taken-for-values", law: "L7",
			broken: "a document that is shown and applied again loses its secrets",
			edits: []edit{{"internal/config/masks.go",
				"\t\tif values[key.Value] != Mask {", "\t\tif values[key.Value] != \"\" {"}},
			nets: first(tests("internal/config", "^TestSecretsOfParametersAndOptionsAreNeverShown$")),
		},
	}
}
