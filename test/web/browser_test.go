package web

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// axe finds what a page makes hard for people who do not see it, or see it otherwise.
//
//go:embed testdata/axe.min.js
var axe string

// pictures is where screenshots go, to be looked at.
const pictures = "../../.cache/web"

// patience bounds each wait for the page.
const patience = 30 * time.Second

// browser is one person's browser.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu sync.Mutex
	// wrong is what the browser complained of.
	wrong []string
}

// newBrowser starts a browser without anything of an earlier one.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("there is no chromium; make test-web installs Debian's")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		// Nobody gave this browser the cluster's authority.
		chromedp.Flag("ignore-certificate-errors", true))
	allocated, release := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(release)
	quiet := func(string, ...any) {} // it tells of events of a newer chromium
	ctx, end := chromedp.NewContext(allocated, chromedp.WithErrorf(quiet), chromedp.WithLogf(quiet))
	t.Cleanup(end)
	b := &browser{t: t, ctx: ctx}
	chromedp.ListenTarget(ctx, func(event any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			b.wrong = append(b.wrong, e.ExceptionDetails.Error())
		case *cdplog.EventEntryAdded:
			if e.Entry.Source == cdplog.SourceSecurity || strings.Contains(e.Entry.Text, "Content Security Policy") {
				b.wrong = append(b.wrong, e.Entry.Text)
			}
		}
	})
	b.run(chromedp.EmulateViewport(1280, 900))
	return b
}

func (b *browser) run(actions ...chromedp.Action) {
	b.t.Helper()
	// The first Run makes the browser, which ends with the context that it is given.
	if err := chromedp.Run(b.ctx); err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// eval is the value of an expression in the page.
func (b *browser) eval(expression string, into any) {
	b.t.Helper()
	b.run(chromedp.Evaluate(expression, into, func(p *runtime.EvaluateParams) *runtime.EvaluateParams {
		return p.WithAwaitPromise(true)
	}))
}

// until waits for an expression to be true in the page.
func (b *browser) until(what, expression string) time.Duration {
	b.t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	err := chromedp.Run(ctx, chromedp.Poll("Boolean("+expression+")", nil,
		chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(patience)))
	if err != nil {
		var text string
		b.eval(`document.body.innerText`, &text)
		b.picture("failed-" + strings.ReplaceAll(b.t.Name(), "/", "-"))
		b.t.Fatalf("waited in vain until %s: %v; the page says:\n%s", what, err, text)
	}
	return time.Since(began)
}

// has waits for a text anywhere in the page.
func (b *browser) has(text string) time.Duration {
	b.t.Helper()
	return b.until("the page has "+text, fmt.Sprintf("document.body.innerText.includes(%q)", text))
}

func (b *browser) open(hash, heading string) {
	b.t.Helper()
	b.eval(fmt.Sprintf("location.hash = %q", hash), nil)
	b.until("the view is "+heading, fmt.Sprintf("document.querySelector('main h1')?.innerText === %q", heading))
}

// press presses the button whose text begins so; while a dialog is open, one of its own.
func (b *browser) press(text string) {
	b.t.Helper()
	button := fmt.Sprintf("[...(document.querySelector('dialog[open]') ?? document).querySelectorAll('button')]"+
		".find((b) => b.innerText.startsWith(%q) && !b.disabled)", text)
	b.until("there is a button "+text, button)
	b.eval(button+".click()", nil)
}

func (b *browser) dark(dark bool) {
	b.t.Helper()
	value := map[bool]string{true: "dark", false: "light"}[dark]
	b.run(chromedp.ActionFunc(func(ctx context.Context) error {
		return emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: value},
		}).Do(ctx)
	}))
}

func (b *browser) phone(phone bool) {
	b.t.Helper()
	if phone {
		b.run(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile))
		return
	}
	b.run(chromedp.EmulateViewport(1280, 900))
}

// picture keeps what the page looks like.
func (b *browser) picture(name string) {
	b.t.Helper()
	var image []byte
	b.run(chromedp.CaptureScreenshot(&image))
	if err := errors.Join(os.MkdirAll(pictures, 0o755),
		os.WriteFile(filepath.Join(pictures, name+".png"), image, 0o644)); err != nil {
		b.t.Fatal(err)
	}
}

// accessible fails for what axe finds.
func (b *browser) accessible(what string) {
	b.t.Helper()
	var there bool
	b.eval("typeof axe === 'object'", &there)
	if !there {
		b.eval(axe+"; true", nil)
	}
	var found string
	b.eval(`axe.run(document, {resultTypes: ['violations']}).then((r) => JSON.stringify(r.violations.map((v) =>
		({id: v.id, help: v.help,
			nodes: v.nodes.slice(0, 3).map((n) => n.html.slice(0, 200) + ' ' + (n.any[0]?.message || ''))}))))`, &found)
	var violations []struct {
		ID, Help string
		Nodes    []string
	}
	if err := json.Unmarshal([]byte(found), &violations); err != nil {
		b.t.Fatalf("axe says %q: %v", found, err)
	}
	for _, v := range violations {
		b.t.Errorf("%s: %s (%s)\n\t%s", what, v.Help, v.ID, strings.Join(v.Nodes, "\n\t"))
	}
}

// fits fails where the page is wider than its window.
func (b *browser) fits(what string) {
	b.t.Helper()
	var wide string
	b.eval(`(() => { const w = document.documentElement.clientWidth;
		const out = (e) => e.getBoundingClientRect().right > w + 1 && !e.closest('nav');
		return document.documentElement.scrollWidth <= w ? '' : [...document.querySelectorAll('body *')].filter(out)
			.slice(-3).map((e) => e.outerHTML.slice(0, 120)).join('; ') || 'wide';
	})()`, &wide)
	if wide != "" {
		b.t.Errorf("%s is wider than its window: %s", what, wide)
	}
}

// content fails for what the browser complained of.
func (b *browser) content() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, wrong := range b.wrong {
		b.t.Errorf("the browser complains: %s", wrong)
	}
}
