/** Made by `python -m service.evaluation.studies.samples`: the recorded photos. */
export const SAMPLES = [
  {
    "name": "chelsea",
    "alt": "A tabby cat that looks up",
    "credit": "Stéfan van der Walt, CC0",
    "width": 451,
    "height": 300,
    "originalBytes": 37971
  },
  {
    "name": "astronaut",
    "alt": "An astronaut in an orange suit who smiles",
    "credit": "NASA, public domain",
    "width": 512,
    "height": 512,
    "originalBytes": 73281
  },
  {
    "name": "coffee",
    "alt": "A cup of coffee on a wooden table",
    "credit": "Rachel Michetti, CC0",
    "width": 600,
    "height": 400,
    "originalBytes": 78792
  }
];
