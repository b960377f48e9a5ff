package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// LargestBody bounds what a request may carry; a document with its definitions
// is the largest.
const LargestBody = 16 << 20

// Exchange makes one request over a transport that knows where to go, and decodes its answer. A
// Failure is returned when the other node refused it.
func Exchange(ctx context.Context, transport http.RoundTripper, method, path string, body, into any) error {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, "https://clusterd"+path, content)
	if err != nil {
		return err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, LargestBody))
	if err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		var failure Failure
		if json.Unmarshal(text, &failure) == nil && failure.Message != "" {
			return failure
		}
		return fmt.Errorf("answered %s", response.Status)
	}
	return json.Unmarshal(text, into)
}
