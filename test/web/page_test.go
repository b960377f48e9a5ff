package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/test/lab"
	"github.com/clusterd/clusterd/test/stage"
)

// tools is where make puts the programs.
const tools = "../../bin"

// mostStarted is how many VMs are started: the simulated hypervisor takes a while for each, and a
// page shows all of them in any case.
const mostStarted = 20

// found makes a cluster of three nodes with so many VMs, whose document has the page.
func found(t *testing.T, vms int) (*stage.Cluster, *stage.Simulated) {
	t.Helper()
	if _, err := os.Stat(tools + "/clusterd"); err != nil {
		t.Skip("the programs are not built; run make test-web")
	}
	world, err := stage.NewSimulated(tools)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.Close(); err != nil {
			t.Error(err)
		}
	})
	plan := stage.Plan{Cluster: "alpha", Top: []string{fmt.Sprintf(`web: {listen: ":%d"}`, freePort(t))},
		Domains: []string{"home: {ordered: true, nofailback: true, members: {node1: 1, node2: 2, node3: 3}}"}}
	for number := range vms {
		service := stage.Service{Guest: lab.Guest{Name: fmt.Sprintf("vm%04d", number), Number: 11 + number}}
		if number == 0 {
			service.Domain = "home"
		}
		if number >= mostStarted {
			service.Settings = []string{"autostart: false"}
		}
		plan.Services = append(plan.Services, service)
	}
	c := &stage.Cluster{World: world, Plan: plan}
	ctx := context.Background()
	if err := c.Found(ctx); err != nil {
		t.Fatal(err)
	}
	// A large document can take longer than its answer is waited for; what runs then tells.
	if err := c.Apply(ctx); err != nil && !strings.Contains(err.Error(), "outcome unknown") {
		t.Fatal(err)
	}
	_, err = c.Wait(ctx, "they run and can be fenced", func(s api.Status) bool {
		started := 0
		for _, service := range s.Services {
			if service.StateText == "started" {
				started++
			}
		}
		return started == min(vms, mostStarted) && len(s.Services) == vms && stage.Protected(s)
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, world
}

// freePort is one that is free on the addresses of three nodes.
func freePort(t *testing.T) int {
	t.Helper()
	for range 50 {
		first, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := first.Addr().(*net.TCPAddr).Port
		first.Close()
		free := true
		for _, host := range []string{"127.0.0.2", "127.0.0.3"} {
			other, err := net.Listen("tcp", net.JoinHostPort(host, fmt.Sprint(port)))
			if free = free && err == nil; err == nil {
				other.Close()
			}
		}
		if free {
			return port
		}
	}
	t.Fatal("no port is free on three addresses")
	return 0
}

// link makes a login link on a node.
func link(t *testing.T, c *stage.Cluster, node, role string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	output, err := c.Command(ctx, node, "clusterd", "web", "login", "--role", role).Output()
	if err != nil {
		t.Fatalf("make a login link: %v", err)
	}
	return strings.TrimSpace(string(output))
}

// visit is a browser that is logged in at a node.
func visit(t *testing.T, c *stage.Cluster, node, role string) *browser {
	t.Helper()
	b := newBrowser(t)
	b.run(chromedp.Navigate(link(t, c, node, role)))
	b.has("Waits for a person")
	return b
}

func typed(t *testing.T, c *stage.Cluster, node string, argv ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if output, err := c.Command(ctx, node, argv...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", argv, err, output)
	}
}

// views are all of them, with their headings.
var views = []struct{ hash, heading string }{
	{"#/overview", "alpha"}, {"#/hosts", "Hosts"}, {"#/services", "VMs and services"}, {"#/events", "Events"},
	{"#/fencing", "Fencing"}, {"#/failovers", "Failovers"}, {"#/moves", "Live moves"},
	{"#/whatif", "What if"}, {"#/whatif?down=node1", "What if"}, {"#/alerts", "Alerts"},
	{"#/document", "Document, version 1"}, {"#/doctor", "Doctor"}, {"#/host/node2", "node2"},
	{"#/service/vm%3Avm0000", "vm:vm0000"}, {"#/service/vm%3Anone", "vm:none"},
}

// TestPage goes through everything a person does, on one cluster; what breaks it most comes last.
func TestPage(t *testing.T) {
	c, world := found(t, 5)
	t.Run("views", func(t *testing.T) { tryViews(t, c) })
	t.Run("link", func(t *testing.T) { tryLink(t, c) })
	t.Run("live", func(t *testing.T) { tryLive(t, c) })
	t.Run("roles", func(t *testing.T) { tryRoles(t, c) })
	t.Run("acts", func(t *testing.T) { tryActs(t, c) })
	t.Run("document", func(t *testing.T) { tryDocument(t, c) })
	t.Run("keyboard", func(t *testing.T) { tryKeyboard(t, c) })
	t.Run("failover", func(t *testing.T) { tryFailover(t, c, world) })
	t.Run("loss of the node", func(t *testing.T) { tryLoss(t, c, world) })
}

// tryViews: every view, in light and dark and on a phone, is there, fits, and can be used by all.
func tryViews(t *testing.T, c *stage.Cluster) {
	b := visit(t, c, "node1", "admin")
	for _, look := range []string{"light", "dark", "phone"} {
		b.dark(look == "dark")
		b.phone(look == "phone")
		for _, view := range views {
			b.open(view.hash, view.heading)
			if view.heading == "Doctor" {
				b.has("cluster version")
			}
			name := strings.NewReplacer("#/", "", "%3A", "-", "/", "-").Replace(view.hash)
			b.picture(name + "-" + look)
			b.accessible(view.heading + ", " + look)
			b.fits(view.heading + ", " + look)
		}
	}
	b.content()
}

// tryLink: used once, it lets nobody else in, and stands in no history.
func tryLink(t *testing.T, c *stage.Cluster) {
	url := link(t, c, "node1", "viewer")
	b := newBrowser(t)
	b.run(chromedp.Navigate(url))
	b.has("Waits for a person")
	var where string
	b.eval("location.href + ' ' + document.cookie", &where)
	if strings.Contains(where, "login") || strings.Contains(where, "clusterd=") {
		t.Errorf("the secret, or the cookie, can be read: %s", where)
	}
	other := newBrowser(t)
	other.run(chromedp.Navigate(url))
	other.has("this link was used before")
	other.picture("login")
	other.accessible("the login")
	b.run(chromedp.Reload())
	b.has("Waits for a person")
	b.press("Log out")
	b.has("You are logged out")
	b.run(chromedp.Reload())
	b.has("You log in with a link")
}

// hostOf is what the table of services says of one.
const hostOf = `[...document.querySelectorAll('tbody tr')].find((r) => r.innerText.includes('vm:vm0000'))` +
	`?.querySelector('[data-label=Host]').innerText`

// tryLive: what another person does is seen without anything being loaded anew.
func tryLive(t *testing.T, c *stage.Cluster) {
	b := visit(t, c, "node3", "viewer")
	b.open("#/services", "VMs and services")
	b.until("it is on node1", hostOf+` === 'node1'`)
	b.eval("window.sameDocument = true", nil)
	typed(t, c, "node1", "clusvcadm", "-M", "vm:vm0000", "-m", "node2")
	took := b.until("it is on node2", hostOf+` === 'node2'`)
	var same bool
	if b.eval("window.sameDocument === true", &same); !same {
		t.Error("the page was loaded anew")
	}
	t.Logf("a move was seen %s after it had ended", took)
	b.open("#/moves", "Live moves")
	b.has("arrived")
	b.picture("moves-after")
}

// tryRoles: a viewer is offered nothing, and what his browser could send all the same is refused.
func tryRoles(t *testing.T, c *stage.Cluster) {
	b := visit(t, c, "node1", "viewer")
	b.open("#/service/vm%3Avm0001", "vm:vm0001")
	b.has("Where it could run")
	var answers struct{ Offered, Bare, Foreign, Stop, Document, Backup int }
	var text string
	b.eval(`(async () => {
		const csrf = (await (await fetch('/page/visit')).json()).csrf;
		const send = (path, headers, method = 'POST') => fetch(path, { method, headers, body: method === 'POST' ?
			JSON.stringify({ id: 'x', op: 'disable', service: 'vm:vm0001' }) : undefined }).then((r) => r.status);
		return JSON.stringify({
			offered: document.querySelectorAll('.acts button').length,
			bare: await send('/v1/requests', {}),
			foreign: await send('/v1/requests', { 'X-Clusterd-Page': 'A'.repeat(26) }),
			stop: await send('/v1/requests', { 'X-Clusterd-Page': csrf }),
			document: await send('/v1/config', {}, 'GET'), backup: await send('/v1/backup', {}, 'GET') });
	})()`, &text)
	if err := json.Unmarshal([]byte(text), &answers); err != nil {
		t.Fatal(err)
	}
	if answers.Offered != 0 || answers.Bare != 403 || answers.Foreign != 403 || answers.Stop != 403 ||
		answers.Document != 403 || answers.Backup != 404 {
		t.Errorf("a viewer's browser is answered %+v", answers)
	}
	var links string
	b.eval(`document.querySelector('nav').innerText`, &links)
	if strings.Contains(links, "Doctor") {
		t.Errorf("a viewer is offered %q", links)
	}
}

// tryActs: an operator moves a VM, stops and starts it, and has a host drained, each time after he
// was shown what comes of it.
func tryActs(t *testing.T, c *stage.Cluster) {
	b := visit(t, c, "node1", "operator")
	b.open("#/service/vm%3Avm0000", "vm:vm0000")
	b.press("Move")
	b.has("What would happen:")
	b.eval(`document.querySelector('dialog input[value=node3]').click()`, nil)
	b.has("moves live from node2 to node3")
	b.picture("move-asked")
	b.accessible("the dialog of a move")
	b.press("Move")
	b.has("Done. It is on node3")
	b.picture("move-done")
	b.press("Close")
	b.until("the page shows it on node3", `[...document.querySelectorAll('.facts div')].some((d) =>
		d.innerText.includes('Host') && d.innerText.includes('node3'))`)
	b.has("operator root at the page from 127.0.0.1")

	b.press("Stop")
	b.has("stopping to disable it")
	var disabled bool
	const send = `document.querySelector('dialog button.do').disabled`
	if b.eval(send, &disabled); !disabled {
		t.Error("it can be stopped without its name typed")
	}
	b.run(chromedp.SendKeys(`dialog input[autocomplete=off]`, "vm:vm0000", chromedp.ByQuery))
	b.until("it can be stopped", "!"+send)
	b.press("Stop")
	b.has("Done.")
	b.press("Close")
	b.has("○disabled")
	b.press("Start")
	b.has("What would happen:")
	b.press("Start")
	b.has("Done. It is on")
	b.press("Close")

	b.open("#/host/node3", "node3")
	b.press("Drain")
	b.has("What would happen:")
	b.picture("drain-asked")
	b.accessible("the dialog of a drain")
	b.run(chromedp.SendKeys(`dialog input[autocomplete=off]`, "node3", chromedp.ByQuery))
	b.press("Drain")
	b.has("Ordered.")
	b.press("Close")
	b.has("It runs no service.")
	b.picture("drained")
	b.press("Return")
	b.has("Ends the order")
	b.press("Return")
	b.has("Ordered.")
	b.press("Close")
	b.until("the order has ended", `!document.querySelector('.facts').innerText.includes('drain')`)
	b.content()
}

// tryKeyboard: / finds, arrows choose, and how a table is sorted stands in the address.
func tryKeyboard(t *testing.T, c *stage.Cluster) {
	b := visit(t, c, "node1", "viewer")
	// A key that the page takes writes nothing, which a char of its own would.
	b.run(input.DispatchKeyEvent(input.KeyDown).WithKey("/").WithText("/"),
		input.DispatchKeyEvent(input.KeyUp).WithKey("/"), chromedp.KeyEvent("vm000"))
	b.until("five are found", `document.querySelectorAll('#found li').length === 5`)
	b.run(chromedp.KeyEvent(kb.ArrowDown))
	b.until("the second is chosen", `document.querySelector('#found-1').ariaSelected === 'true'`)
	b.run(chromedp.KeyEvent(kb.Enter))
	b.until("the second is shown", `document.querySelector('h1').innerText === 'vm:vm0001'`)
	b.open("#/services?sort=-name&q=vm000", "VMs and services")
	b.until("it is sorted", `document.querySelector('tbody tr').innerText.startsWith('vm:vm0004')`)
	b.run(chromedp.SendKeys(`.tools input`, "3", chromedp.ByQuery))
	b.until("one is left, and the address says so",
		`document.querySelectorAll('tbody tr').length === 1 && location.hash.includes('q=vm0003')`)
}

// tryFailover: a host loses its power while somebody looks.
func tryFailover(t *testing.T, c *stage.Cluster, world *stage.Simulated) {
	status, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	victim := "node3"
	if status.Leader == victim {
		victim = "node2"
	}
	if stage.Owner(status, "vm:vm0001") != victim {
		typed(t, c, "node1", "clusvcadm", "-M", "vm:vm0001", "-m", victim)
	}
	b := visit(t, c, "node1", "viewer")
	b.open("#/service/vm%3Avm0001", "vm:vm0001")
	b.has("its host can be fenced")
	if err := world.CutPower(victim); err != nil {
		t.Fatal(err)
	}
	b.until("it is told that it is not known to run", `
		document.querySelector('main').innerText.includes('unknown: `+victim+` is')
		|| document.querySelector('main').innerText.includes('recover')
		|| !document.querySelector('.facts').innerText.includes('`+victim+`')`)
	b.until("it runs elsewhere", `document.querySelector('.facts').innerText.includes('started')
		&& !document.querySelector('.facts').innerText.includes('`+victim+`')`)
	b.open("#/failovers", "Failovers")
	b.has("off confirmed")
	b.picture("failovers-after")
	b.accessible("failovers")
	b.open("#/overview", "alpha")
	b.has("2 of 3 online")
	b.picture("overview-after-failover")
	if err := world.Boot(t.Context(), victim); err != nil {
		t.Fatal(err)
	}
	b.has("3 of 3 online")
}

// tryLoss: the node of the page dies; the page says so, how old it is, and where else to look.
func tryLoss(t *testing.T, c *stage.Cluster, world *stage.Simulated) {
	b := visit(t, c, "node2", "viewer")
	if err := world.StopDaemon(t.Context(), "node2"); err != nil {
		t.Fatal(err)
	}
	b.has("node2 does not answer.")
	b.has("s old, and may no longer be so")
	b.until("nothing is shown as well", `!document.querySelector('main .state.ok')`)
	var others string
	b.eval(`[...document.querySelectorAll('.old a')].map((a) => a.href).join(' ')`, &others)
	if !strings.Contains(others, "https://127.0.0.1:") || !strings.Contains(others, "https://127.0.0.3:") {
		t.Errorf("the page names %q", others)
	}
	b.picture("node-lost")
	b.accessible("the page of a dead node")
	b.phone(true)
	b.picture("node-lost-phone")
	b.fits("the page of a dead node, phone")
	if err := world.StartDaemon(t.Context(), "node2"); err != nil {
		t.Fatal(err)
	}
	b.has("Your visit is over. Log in again.") // visits are kept in memory
}
