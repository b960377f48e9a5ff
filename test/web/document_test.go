package web

import (
	"fmt"
	"testing"

	"github.com/clusterd/clusterd/test/stage"
)

// tryDocument: an administrator asks what if, edits the document, is told of a fault at its line,
// puts a change into force after its plan, and brings the version before back.
func tryDocument(t *testing.T, c *stage.Cluster) {
	b := visit(t, c, "node1", "admin")
	b.open("#/whatif", "What if")
	b.has("How many hosts may be lost")
	b.eval(`document.querySelector('fieldset input').click()`, nil)
	b.has("What would happen")
	b.until("the question stands in the address", `location.hash.includes('down=node1')`)
	b.has("is started on")

	b.open("#/document", "Document, version 1")
	b.press("Edit")
	edit := func(from, to string) {
		b.eval(fmt.Sprintf(`(() => { const t = document.querySelector('#draft'); t.value = t.value.replace(%q, %q);
			t.dispatchEvent(new Event('input', { bubbles: true })); })()`, from, to), nil)
	}
	edit("nodes:", "nodez:")
	b.press("Check")
	b.has("has no key \"nodez\"")
	b.press("line ")
	b.until("the line is chosen", `(() => { const t = document.querySelector('#draft');
		return document.activeElement === t && t.value.slice(t.selectionStart, t.selectionEnd) === 'nodez:'; })()`)
	b.picture("document-fault")
	b.accessible("the editor with a fault")
	edit("nodez:", "memory_overcommit: 1.5\nnodes:")
	b.press("Check")
	b.has("What it would do")
	b.has("in place, at once")
	b.picture("document-plan")
	b.accessible("the editor with a plan")
	b.press("Put it into force")
	b.until("version 2 is shown", `document.querySelector('h1').innerText === 'Document, version 2'`)
	b.open("#/document?version=1", "Document, version 1")
	b.press("Bring it back")
	b.has("It becomes version 3")
	b.has("in place, at once")
	b.accessible("the way to an earlier version")
	b.press("Bring it back")
	b.until("version 3 is shown", `document.querySelector('h1').innerText === 'Document, version 3'`)
	b.content()
}
