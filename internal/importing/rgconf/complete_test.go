package rgconf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/internal/importing"
)

// everything are the elements of a cluster.conf with their attributes, as the
// reference and the manual pages list them.
var everything = map[string]string{
	"cluster":      "name config_version",
	"cman":         "two_node expected_votes quorum_dev_poll port cluster_id keyfile transport broadcast upgrading",
	"multicast":    "addr ttl",
	"altmulticast": "addr",
	"totem": "token consensus join rrp_mode secauth keyfile key token_retransmit hold " +
		"token_retransmits_before_loss_const " +
		"fail_recv_const netmtu version",
	"interface": "ringnumber",
	"dlm":       "plock_ownership plock_rate_limit protocol",
	"quorumd": "label device interval tko tko_up votes min_score reboot upgrade_wait master_wait " +
		"master_wins stop_cman paranoid io_timeout allow_kill scheduler priority",
	"heuristic":      "program score interval tko",
	"fence_daemon":   "post_join_delay post_fail_delay clean_start skip_undefined override_path override_time",
	"fence_xvmd":     "",
	"gfs_controld":   "",
	"group":          "",
	"logging":        "to_syslog to_logfile debug",
	"logging_daemon": "name debug",
	"clusternodes":   "",
	"clusternode":    "name nodeid votes weight",
	"altname":        "name",
	"fence":          "",
	"method":         "name",
	"device":         "name port key action delay",
	"unfence":        "",
	"fencedevices":   "",
	"fencedevice": "name agent ipaddr login passwd passwd_script auth lanplus cipher privlvl method " +
		"power_wait power_timeout login_timeout shell_timeout timeout ipport delay retry_on aptpl devices logfile verbose",
	"rm": "log_level status_child_max status_poll_interval transition_throttling " +
		"central_processing disabled",
	"failoverdomains":    "",
	"failoverdomain":     "name ordered restricted nofailback",
	"failoverdomainnode": "name priority",
	"events":             "",
	"event": "name class priority file service service_state service_owner node node_id node_state " +
		"node_clean node_local",
	"resources":         "",
	"resource-defaults": "",
	"action":            "name depth interval timeout",
	"service": "name domain autostart exclusive recovery max_restarts restart_expire_time depend " +
		"depend_mode priority nfslock nfs_client_cache __independent_subtree",
	"vm": "name ref domain autostart exclusive recovery max_restarts restart_expire_time depend " +
		"depend_mode migrate migration_mapping migration_uri hypervisor hypervisor_uri use_virsh xmlfile path snapshot " +
		"status_program tunnelled migrate_options no_kill",
	"ip": "ref address family monitor_link sleeptime disable_rdisc nfslock",
	"fs": "name ref mountpoint device fstype options force_unmount force_fsck quick_status " +
		"self_fence fsid nfslock nfsrestart __independent_subtree __enforce_timeouts __max_restarts " +
		"__restart_expire_time __max_failures __failure_expire_time",
	"clusterfs":  "name mountpoint device fstype options force_unmount",
	"netfs":      "host export mountpoint fstype options force_unmount no_unmount",
	"bind-mount": "name mountpoint source force_unmount",
	"lvm":        "vg_name lv_name self_fence nfslock",
	"script":     "name file",
	"nfsexport":  "name path", "nfsclient": "name target path options allow_recover", "nfsserver": "name",
	"smb": "workgroup", "samba": "config_file",
	"apache":      "server_root config_file httpd_options shutdown_wait",
	"mysql":       "config_file listen_address mysqld_options startup_wait shutdown_wait",
	"postgres-8":  "config_file postmaster_user postmaster_options",
	"named":       "config_file",
	"openldap":    "config_file",
	"tomcat-5":    "config_file",
	"tomcat-6":    "config_file",
	"oracledb":    "user home listener type vhost",
	"orainstance": "user home", "oralistener": "user home", "oradg": "",
	"SAPInstance": "InstanceName DIR_EXECUTABLE", "SAPDatabase": "SID DBTYPE",
	"ASEHAagent": "sybase_home server_name",
	"drbd":       "resource",
	"db2":        "instance",
}

// invented are what the examples have that no manual knows.
var invented = map[string]bool{"alias": true, "color": true, "colour": true, "strange": true, "surprise": true,
	"mcast": true, "inner": true}

// TestEverythingIsTranslatedOrTold: each element and attribute is in an example,
// and the report of that example speaks of it.
func TestEverythingIsTranslatedOrTold(t *testing.T) {
	seen := map[string]bool{}
	sources, err := filepath.Glob("testdata/*.conf")
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		top, err := importing.ReadMarkup(source, text)
		if err != nil {
			t.Fatal(err)
		}
		note(top, seen)
		_, report, _ := translatedFile(t, source)
		for _, f := range report.Findings {
			if strings.Contains(f.Message, "not known here") && !mentions(f.Subject) {
				t.Errorf("%s:%d: %s: %s", source, f.Line, f.Subject, f.Message)
			}
		}
	}
	for element, attributes := range everything {
		if !seen[element] {
			t.Errorf("no example has <%s>", element)
		}
		for _, attribute := range strings.Fields(attributes) {
			if !seen[element+" "+attribute] {
				t.Errorf("no example has %s of <%s>", attribute, element)
			}
		}
	}
}

func note(e *importing.Element, seen map[string]bool) {
	seen[e.Name] = true
	for _, name := range e.Names() {
		seen[e.Name+" "+name] = true
	}
	for _, child := range e.Children {
		note(child, seen)
	}
}

func mentions(subject string) bool {
	for word := range invented {
		if strings.Contains(subject, word) {
			return true
		}
	}
	return false
}

// TestEverySourceElementIsInItsReport: no line of a source with an element that
// says something is missing in the report.
func TestEverySourceElementIsInItsReport(t *testing.T) {
	sources, err := filepath.Glob("testdata/*.conf")
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		top, err := importing.ReadMarkup(source, text)
		if err != nil {
			t.Fatal(err)
		}
		_, report, _ := translatedFile(t, source)
		told := map[string]bool{}
		for _, f := range report.Findings {
			for _, word := range strings.Fields(f.Subject) {
				told[word] = true
			}
		}
		eachAttribute(top, func(e *importing.Element, name, value string) {
			shown := name + `="` + value + `"`
			if importing.Secret(name, value) && (e.Name != "totem" || !strings.HasPrefix(name, "token")) {
				shown = name + `="********"`
			}
			if name == "name" || name == "ref" || strings.ContainsAny(value, " \t") || len(value) > 50 || value == "" &&
				name == "options" {
				return // Told by the element's own name, or cut into words.
			}
			if !told[shown] {
				t.Errorf("%s:%d: the report says nothing of %s in <%s>", source, e.Line, shown, e.Name)
			}
		})
	}
}

func eachAttribute(e *importing.Element, visit func(e *importing.Element, name, value string)) {
	for _, name := range e.Names() {
		visit(e, name, e.Get(name))
	}
	for _, child := range e.Children {
		eachAttribute(child, visit)
	}
}
