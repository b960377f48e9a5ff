package web

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestManyVMs: the page is quick with 2,000 VMs, and can be used by all then.
func TestManyVMs(t *testing.T) {
	if testing.Short() {
		t.Skip("2000 VMs take a while to found; without -short they are tried")
	}
	c, _ := found(t, 2000)
	b := newBrowser(t)
	url := link(t, c, "node1", "viewer")
	began := time.Now()
	b.run(chromedp.Navigate(url))
	b.has("20 of 2000 started")
	first := time.Since(began)
	b.accessible("2000 VMs, overview")
	b.open("#/services", "VMs and services")
	b.has("Show all 2000")
	b.picture("services-2000")
	b.accessible("2000 VMs")
	b.run(chromedp.SendKeys(`.tools input`, "vm1234", chromedp.ByQuery))
	filtered := b.until("one is left", `document.querySelectorAll('tbody tr').length === 1`)
	typed(t, c, "node1", "clusvcadm", "-e", "vm:vm1234")
	seen := b.has("●started")
	b.content()
	t.Logf("figure: first_ms=%d filter_ms=%d update_ms=%d", first.Milliseconds(), filtered.Milliseconds(),
		seen.Milliseconds())
	if most := 5 * time.Second; first > most {
		t.Errorf("the page of 2000 VMs took %s, at most %s is wanted", first, most)
	}
}
