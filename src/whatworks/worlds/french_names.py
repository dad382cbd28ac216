"""French names for simulated registers, commonest first; rarer ones are made of roots and endings."""

from __future__ import annotations

from typing import Final

SURNAMES: Final = tuple(
    """
    Martin Bernard Thomas Petit Robert Richard Durand Dubois Moreau Laurent Simon Michel Lefebvre Leroy
    Roux David Bertrand Morel Fournier Girard Bonnet Dupont Lambert Fontaine Rousseau Vincent Muller
    Lefèvre Faure André Mercier Blanc Guérin Boyer Garnier Chevalier François Legrand Gauthier Garcia
    Perrin Robin Clément Morin Nicolas Henry Roussel Mathieu Gautier Masson Marchand Duval Denis Dumont
    Marie Lemaire Noël Meyer Dufour Meunier Brun Blanchard Giraud Joly Rivière Lucas Brunet Gaillard
    Barbier Arnaud Martinez Gérard Roche Renard Schmitt Roy Leroux Colin Vidal Caron Picard Roger Fabre
    Aubert Lemoine Renaud Dumas Lacroix Olivier Philippe Bourgeois Pierre Benoît Rey Leclerc Payet
    Rolland Leclercq Guillaume Lecomte Lopez Jean Dupuy Guillot Hubert Berger Carpentier Sanchez Dupuis
    Moulin Louis Deschamps Huet Vasseur Perez Boucher Fleury Royer Klein Jacquet Adam Paris Poirier
    Marty Aubry Guyot Carré Charles Renault Charpentier Ménard Maillard Baron Bertin Bailly Hervé
    Schneider Fernandez Collet Léger Bouvier Julien Prévost Millet Perrot Daniel Cousin Germain Breton
    Besson Langlois Rémy Pélissier Lévêque Barré Benali Traoré Diallo Nguyen Bouaziz Belkacem Haddad
    Mansouri Cissé Ferreira Rodrigues Pereira Kaya Yılmaz Popescu Ivanova Coulibaly Camara Touré Mendy
    """.split()  # noqa: SIM905 - a block of names reads better than 170 literals
)
SURNAMES_IN_PARTS: Final = (
    *(
        "Le Goff",
        "Le Gall",
        "Le Roux",
        "Le Bihan",
        "Le Floch",
        "Da Silva",
        "Dos Santos",
        "De Oliveira",
    ),
    *("De Sousa", "Du Bois", "De La Fontaine", "El Amrani", "Ben Salah", "Ait Ahmed", "Van Damme"),
    *("L'Hermite", "D'Almeida", "N'Diaye", "La Rocca", "Des Moulins"),
)
ROOTS: Final = tuple(
    """
    Bar Bel Ber Bois Bon Bour Bru Cail Cam Car Cast Cha Cham Chan Char Chau Cler Col Cor Cou Cour Crou
    Dar Del Des Dor Du Dur Fau Fer Fon For Four Gail Gar Gau Ger Gi Gou Gran Gri Gui Her Hou Jac Jan
    Jou La Lan Lau Lav Lem Mail Mal Mar Mau Mer Mon Mor Mou Nau Pail Par Pel Per Pi Poi Pon Pou Pra Pu
    Ram Ray Ren Ri Ro Rou Sab Sal Sar Sau Sou Tal Tar Ter Thi Tou Tra Val Var Ver Vi Vil
    """.split()  # noqa: SIM905 - a block of names reads better than 170 literals
)
ENDINGS: Final = tuple(
    """
    ard aud ault eau elet elin enet er eray et ette ier illon in ineau ion isson iveau oche oin on onnet
    ot ou oux uel uet ussel val vert ville voisin bault bert beau chard chet court dier dot doux fort
    gnard gneau got lier lon main mand naud net neuf pin quet rand rault reau roche ron sier son teau
    thier tier tin toux tray
    """.split()  # noqa: SIM905 - a block of names reads better than 170 literals
)
WOMEN: Final = tuple(
    """
    Marie Nathalie Isabelle Sylvie Catherine Françoise Martine Christine Sandrine Stéphanie Céline Julie
    Valérie Aurélie Camille Laura Sarah Émilie Léa Manon Chloé Emma Pauline Mathilde Anaïs Marion Lucie
    Inès Élodie Mélanie Virginie Karine Laetitia Véronique Patricia Brigitte Monique Nicole Annie Sophie
    Hélène Caroline Audrey Delphine Vanessa Jessica Amandine Charlotte Margaux Justine Clara Océane
    Louise Jade Alice Juliette Zoé Lola Eva Morgane Fanny Élise Claire Cécile Anne Agnès Béatrice
    Bénédicte Corinne Danielle Dominique Élisabeth Évelyne Fabienne Florence Ghislaine Ginette Jacqueline
    Jeanne Joëlle Josiane Laurence Liliane Lydie Maryse Mireille Muriel Myriam Nadine Noémie Odile Pascale
    Rachel Régine Roselyne Sabine Séverine Simone Solange Suzanne Sylviane Thérèse Yvette Yvonne Fatima
    Aïcha Khadija Samira Nadia Leïla Yasmine Malika Rachida Aminata Fatoumata Mariam Awa Ana Elena Irina
    Olga Sofia Maria Carla Rosa Amélie Angélique Apolline Ariane Capucine Clémence Coralie Diane Estelle
    Eugénie Flavie Gaëlle Héloïse Iris Jennifer Kelly Laure Ludivine Maëlle Magali Marine Maud Mélissa
    Ophélie Perrine Priscilla Romane Rose Salomé Solène Tiphaine Violette Victoire
    """.split()  # noqa: SIM905 - a block of names reads better than 170 literals
)
MEN: Final = tuple(
    """
    Jean Philippe Michel Alain Patrick Nicolas Christophe Pierre Christian Éric Frédéric Laurent Stéphane
    David Pascal Daniel Alexandre Julien Thomas Kévin Sébastien Maxime Antoine Quentin Lucas Hugo Théo
    Romain Clément Guillaume Florian Anthony Jérôme Thierry Bruno Didier Gérard Bernard Jacques Claude
    André François Dominique Serge Marc Olivier Vincent Mathieu Benjamin Jérémy Damien Arnaud Cédric
    Fabrice Ludovic Xavier Yves Gilles Denis Luc Paul Louis Henri Robert Roger Marcel René Georges Roland
    Raymond Guy Joël Hervé Franck Emmanuel Grégory Mickaël Samuel Simon Adrien Valentin Dylan Jordan
    Enzo Nathan Mathis Léo Raphaël Gabriel Arthur Jules Adam Noah Ethan Tom Noé Sacha Mohamed Ahmed Ali
    Karim Rachid Youssef Mehdi Ibrahim Mamadou Moussa Omar Abdoulaye Bilal Hassan Hicham Nabil Sofiane
    Carlos José Manuel Antonio Luis Paulo Sergio Ivan Dimitri Igor Aurélien Baptiste Bastien Boris Cyril
    Célestin Constant Corentin Edgar Élie Étienne Fabien Félix Gaël Gaëtan Gaspard Gauthier Geoffrey
    Germain Ghislain Gustave Joseph Josselin Kilian Lilian Loïc Lucien Marius Martial Maurice Morgan
    Norbert Octave Oscar Patrice Régis Rémi Robin Rodolphe Stanislas Sylvain Tanguy Tristan Victor Yann
    Yannick Yohan
    """.split()  # noqa: SIM905 - a block of names reads better than 170 literals
)
BEFORE_A_HYPHEN: Final = ("Marie", "Anne", "Jean", "Pierre", "Paul", "Louis")
"""First names that begin a compound one."""
