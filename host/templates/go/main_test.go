package main

import (
	"net/http/httptest"
	"testing"
)

func ask(path string) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	routes().ServeHTTP(answer, httptest.NewRequest("GET", path, nil))
	return answer
}

func TestItGreets(t *testing.T) {
	if got := ask("/").Body.String(); got != "Hello from {{name}}!\n" {
		t.Errorf("got %q", got)
	}
}

func TestElsewhereIsNothing(t *testing.T) {
	if got := ask("/elsewhere").Code; got != 404 {
		t.Errorf("got %d", got)
	}
}
