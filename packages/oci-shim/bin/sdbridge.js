#!/usr/bin/env node
// Kept apart from the compiled code so that it is there to link when the package is installed in a checkout.
import '../dist/cli/main.js'
