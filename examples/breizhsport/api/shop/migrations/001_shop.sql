CREATE TABLE products (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    description text NOT NULL,
    price_cents integer NOT NULL CHECK (price_cents > 0),
    stock integer NOT NULL CHECK (stock >= 0)
);

CREATE TABLE carts (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    made_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE cart_items (
    cart uuid NOT NULL REFERENCES carts ON DELETE CASCADE,
    product integer NOT NULL REFERENCES products,
    quantity integer NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (cart, product)
);

CREATE TABLE orders (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- A cart is ordered once, however often the button is pressed.
    cart uuid NOT NULL UNIQUE,
    customer text NOT NULL,
    total_cents integer NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE order_items (
    "order" integer NOT NULL REFERENCES orders,
    product integer NOT NULL REFERENCES products,
    quantity integer NOT NULL CHECK (quantity > 0),
    price_cents integer NOT NULL,
    PRIMARY KEY ("order", product)
);

INSERT INTO products (name, description, price_cents, stock) VALUES
    ('Planche de surf « La Torche »', 'Mousse et résine, 6 pieds, pour les vagues du Finistère.', 34900, 8),
    ('Kayak de mer « Ouessant »', 'Une place, 4,80 m, deux caissons étanches.', 89900, 3),
    ('Ciré jaune', 'Imperméable et doublé, pour tous les temps.', 7950, 40),
    ('Chaussures de trail « Menez-Hom »', 'Accroche sur terrain gras, du 36 au 47.', 11990, 25),
    ('Roched de gouren', 'La chemise de la lutte bretonne, en toile forte.', 5490, 60),
    ('Jeu de palets bretons', 'Douze palets en fonte, le maître et la planche.', 6900, 30);
