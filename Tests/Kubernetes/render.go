// Renders the templates of a chart, as Helm does with the functions that Escale's charts use. Not built by anything but generated.py.
//
// Standard input: {"values": …, "templates": {NAME: TEXT, …}}; standard output: {NAME: TEXT, …}, as a first installation has them.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/template"
)

var functions = template.FuncMap{
	"quote":  func(value interface{}) string { return fmt.Sprintf("%q", fmt.Sprint(value)) },
	"int":    func(value float64) int { return int(value) },
	"toJson": func(value interface{}) (string, error) { text, err := json.Marshal(value); return string(text), err },
}

func main() {
	var chart struct {
		Values    map[string]interface{} `json:"values"`
		Templates map[string]string      `json:"templates"`
	}
	check(json.NewDecoder(os.Stdin).Decode(&chart))
	data := map[string]interface{}{
		"Values":  chart.Values,
		"Release": map[string]interface{}{"Name": "test", "Namespace": "test", "Revision": 1},
	}
	rendered := map[string]string{}
	for name, text := range chart.Templates {
		parsed, err := template.New(name).Funcs(functions).Option("missingkey=error").Parse(text)
		check(err)
		var into strings.Builder
		check(parsed.Execute(&into, data))
		rendered[name] = into.String()
	}
	check(json.NewEncoder(os.Stdout).Encode(rendered))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
