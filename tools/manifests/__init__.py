"""Manifests: plugins, connections and secrets in YAML or JSON files, read strictly."""
