"""All trainings of the recurrent codecs in one go, in a given number of minutes on one device."""
