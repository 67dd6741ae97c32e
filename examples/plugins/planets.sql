-- The planets and their largest moons: NASA's Planetary Fact Sheet and satellite fact sheets (public domain).
-- sqlite3 planets.sqlite3 < planets.sql
CREATE TABLE planets (
  name TEXT PRIMARY KEY, kind TEXT NOT NULL, mass_1e24_kg REAL NOT NULL, diameter_km INTEGER NOT NULL,
  distance_from_sun_1e6_km REAL NOT NULL, orbital_period_days REAL NOT NULL, mean_temperature_c INTEGER NOT NULL
);
CREATE TABLE moons (
  name TEXT PRIMARY KEY, planet TEXT NOT NULL REFERENCES planets (name), radius_km REAL NOT NULL,
  orbital_period_days REAL NOT NULL, discovered INTEGER
);
INSERT INTO planets VALUES
  ('Mercury', 'terrestrial', 0.330, 4879, 57.9, 88.0, 167),
  ('Venus', 'terrestrial', 4.87, 12104, 108.2, 224.7, 464),
  ('Earth', 'terrestrial', 5.97, 12756, 149.6, 365.2, 15),
  ('Mars', 'terrestrial', 0.642, 6792, 228.0, 687.0, -65),
  ('Jupiter', 'gas giant', 1898, 142984, 778.5, 4331, -110),
  ('Saturn', 'gas giant', 568, 120536, 1432.0, 10747, -140),
  ('Uranus', 'ice giant', 86.8, 51118, 2867.0, 30589, -195),
  ('Neptune', 'ice giant', 102, 49528, 4515.0, 59800, -200);
INSERT INTO moons VALUES
  ('Moon', 'Earth', 1737.4, 27.3217, NULL),
  ('Phobos', 'Mars', 11.1, 0.31891, 1877),
  ('Deimos', 'Mars', 6.2, 1.26244, 1877),
  ('Io', 'Jupiter', 1821.5, 1.769138, 1610),
  ('Europa', 'Jupiter', 1560.8, 3.551181, 1610),
  ('Ganymede', 'Jupiter', 2631.2, 7.154553, 1610),
  ('Callisto', 'Jupiter', 2410.3, 16.689017, 1610),
  ('Mimas', 'Saturn', 198.2, 0.942422, 1789),
  ('Enceladus', 'Saturn', 252.1, 1.370218, 1789),
  ('Tethys', 'Saturn', 531.1, 1.887802, 1684),
  ('Dione', 'Saturn', 561.4, 2.736915, 1684),
  ('Rhea', 'Saturn', 763.5, 4.518212, 1672),
  ('Titan', 'Saturn', 2574.7, 15.945421, 1655),
  ('Iapetus', 'Saturn', 734.3, 79.3215, 1671),
  ('Miranda', 'Uranus', 235.8, 1.413479, 1948),
  ('Ariel', 'Uranus', 578.9, 2.520379, 1851),
  ('Umbriel', 'Uranus', 584.7, 4.144177, 1851),
  ('Titania', 'Uranus', 788.9, 8.705872, 1787),
  ('Oberon', 'Uranus', 761.4, 13.463239, 1787),
  ('Triton', 'Neptune', 1353.4, 5.876854, 1846);
