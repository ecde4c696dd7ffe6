// SPDX-License-Identifier: Apache-2.0
// Validates files against CycloneDX 1.6's published JSON schema, strictly. Exit status 1: one is not.
const fs = require('fs');
const { Validation, Spec } = require('@cyclonedx/cyclonedx-library');

(async () => {
  const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot6);
  for (const path of process.argv.slice(2)) {
    const errors = await validator.validate(fs.readFileSync(path, 'utf8'));
    if (errors) {
      console.log(`${path}: ${JSON.stringify(errors).slice(0, 2000)}`);
      process.exit(1);
    }
  }
})().catch((error) => { console.log(String(error)); process.exit(2); });
