// The Go peer of bench/policy.c: argv is FOLDER N...; for each N it reads policies-N.cedar and prints
// "N ns-per-decision allow" on a line.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	cedar "github.com/cedar-policy/cedar-go"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	folder := os.Args[1]
	var entities cedar.EntityMap
	if err := json.Unmarshal(must(os.ReadFile(filepath.Join(folder, "entities.json"))), &entities); err != nil {
		panic(err)
	}
	request := cedar.Request{
		Principal: cedar.NewEntityUID("User", "ann"),
		Action:    cedar.NewEntityUID("Action", "view"),
		Resource:  cedar.NewEntityUID("Doc", "plan"),
		Context: cedar.NewRecord(cedar.RecordMap{
			"risk": cedar.Long(120), "host": cedar.String("h1.example"),
		}),
	}
	for _, count := range os.Args[2:] {
		text := must(os.ReadFile(filepath.Join(folder, "policies-"+count+".cedar")))
		set := must(cedar.NewPolicySetFromBytes("policies", text))
		rounds := 2000000 / (must(strconv.Atoi(count)) + 10)
		var decision cedar.Decision
		start := time.Now()
		for i := 0; i < rounds; i++ {
			decision, _ = cedar.Authorize(set, entities, request)
		}
		ns := float64(time.Since(start).Nanoseconds()) / float64(rounds)
		fmt.Printf("%s %.1f %v\n", count, ns, decision == cedar.Allow)
	}
}
