// Prints a Compose file as JSON, as Docker Compose's own loader understands it: validated against
// the specification, variables filled in, profiles applied, all that is named found to exist.
// What `docker compose config` does, where there is no Docker. Usage: composespec FILE
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(files []string) error {
	options, err := cli.NewProjectOptions(files,
		cli.WithOsEnv, cli.WithInterpolation(true), cli.WithNormalization(true),
		cli.WithConsistency(true), cli.WithDefaultProfiles())
	if err != nil {
		return err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return err
	}
	project, err = project.WithServicesEnvironmentResolved(true)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(project)
}
