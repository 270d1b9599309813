// Holds documents (JSON, on stdin) against the schemas that their kinds' makers publish; the first
// argument is a node_modules that has @kubernetes-models.
import { readFileSync } from "node:fs";

const PLACES = {
  ScaledObject: "keda/keda.sh/v1alpha1/ScaledObject.js",
  PodMonitor: "prometheus-operator/monitoring.coreos.com/v1/PodMonitor.js",
};
for (const document of JSON.parse(readFileSync(0))) {
  const place = `${process.argv[2]}/@kubernetes-models/${PLACES[document.kind]}`;
  const module = await import(place);
  const Kind = module[document.kind] ?? module.default[document.kind];
  new Kind(document).validate();
}
